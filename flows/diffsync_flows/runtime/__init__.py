"""How a flow run behaves: errors, retries, states, cancellation, locks."""

"""PowerDnsAdapter: zones and record sets of a PowerDNS authoritative server, over its API.

`from` of a model is `zones` or `rrsets`. A zone has `name` and `kind`; a record set has `zone`, `name`, `type`, `ttl` and
`records`, the list of contents. All changes of a zone in one call of a sync are one request.

    models:
      rrset: {identifiers: {zone: str, name: str, type: str}, attributes: {ttl: int, records: {type: "list[str]", compare: unordered}}}
    adapters:
      dns: {type: powerdns, settings: {url: "http://127.0.0.1:8081", token: "${PDNS_KEY}"}, records: {rrset: {from: rrsets}}}
"""

from diffsync_store.adapters.powerdns.adapter import PowerDnsAdapter
from diffsync_store.adapters.powerdns.settings import PowerDnsSettings

__all__ = ["PowerDnsAdapter", "PowerDnsSettings"]

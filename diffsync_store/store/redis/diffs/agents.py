"""The agents that apply one saved diff together, as Redis coordinates them."""

from __future__ import annotations

import math
import os
import secrets
import socket
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NoReturn

from diffsync_store.agents import Agent, AgentState, Claim, Round, RoundOver, Unit
from diffsync_store.exceptions import DiffNotFound, InvalidOptions, SyncInterrupted, SyncTakenOver
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.diffs.journal import RedisJournal, taken_over_by
from diffsync_store.store.redis.keys import DiffKeys
from diffsync_store.store.redis.record import time_of
from diffsync_store.store.redis.scripts import agents as scripts
from diffsync_store.store.redis.scripts.script import Script
from diffsync_store.values.readable import readable

NOTHING: Mapping[str, int] = MappingProxyType({})


class RedisAgents:
    """This agent among those that apply a saved diff together.

    One thread works, another one may call `renew`. A forked child process joins as an agent of its own.

    Args:
        client: a redis-py client.
        keys: the keys of the diff.
        journal: the journal of the diff; what it writes belongs to the unit that is claimed.
        ttl: seconds without use after which the diff expires.
        created: the creation time in the diff's record.
        agent: this agent.
    """

    def __init__(  # noqa: PLR0917  # made here only
        self, client: Any, keys: DiffKeys, journal: AgentJournal, ttl: int, created: str, agent: Agent
    ) -> None:
        self._redis = client
        self._keys = [keys.record, keys.writer, keys.journal, *keys.of_agents()]
        self._diff_id = keys.diff_id
        self._ttl = ttl
        self._created = created
        self._agent = agent
        self._id = secrets.token_hex(8)
        self._number = ""
        self.journal = journal
        self.name = readable(agent.name) or f"{socket.gethostname()}:{os.getpid()}"
        self.may_lack_entries = False
        """Whether entries of the journal may have been lost before the round began."""
        self.began = 0.0
        """When the round began, in seconds since 1970 by the clock of Redis."""

    def join(self, options: str) -> None:
        """Join the round, or begin one.

        Args:
            options: describes what the sync does; all agents have the same.

        Raises:
            DiffNotFound: the diff is gone, or was replaced.
            InvalidOptions: another agent applies the diff with other options.
            RoundOver: the round of this group has ended, or another agent has just stopped it.
        """
        arguments = [self._created, self.name, self._ttl, self._id, self._lease, options, self._agent.group]
        status, *details = self._call(scripts.JOIN, arguments) or self._raise_gone()
        if status == b"over":
            raise RoundOver(details[0].decode())
        if status == b"other":
            raise InvalidOptions(
                f"{details[0].decode()} applies diff {self._diff_id!r} with other options. Agents that apply one diff "
                "together have the same options: give this one the same, or wait until the others have ended."
            )
        number, suspect, now, began = details
        self._number = number.decode()
        self.may_lack_entries = bool(suspect)
        self.began = int(began) / 1000
        self.journal.join(self._number, time_of(now).timestamp() - time.time(), self._id)

    def claim(self) -> Claim | float:
        """Claim a unit; return the seconds until one may be taken over, if there is none now.

        Raises:
            RoundOver: everything is done, or an agent has stopped the round.
            SyncTakenOver: another sync has begun.
            SyncInterrupted: Redis was restarted or failed over.
        """
        status, *details = self._call(scripts.CLAIM, [self._number, self._id, self._lease])
        if status == b"wait":
            return float(details[0]) / 1000
        if status != b"unit":
            self._raise_over(status, details)
        number, token, text, taken_from, agents, tried, failed, elements = details
        unit = Unit.model_validate_json(text)
        claim = Claim(number, token, unit, taken_from.decode(), agents, tried, failed, elements)
        self.journal.claim = claim
        return claim

    def renew(self, claim: Claim | None, done: int) -> None:
        """Show that this agent is alive.

        Args:
            claim: the unit that it works on.
            done: operations that it has handled.

        Raises:
            SyncTakenOver: another agent has the unit, or another sync has begun.
            RoundOver: an agent has stopped the round.
            SyncInterrupted: Redis was restarted or failed over.
        """
        place = [claim.number, claim.token] if claim else ["", ""]
        status, *details = self._call(scripts.RENEW, [self._number, self._id, self._lease, *place, done])
        if status != b"ok":
            self._raise_over(status, details)

    def finish(
        self, claim: Claim, done: int, counts: Mapping[str, int] = NOTHING, plan: Iterable[list[Unit]] = ()
    ) -> None:
        """Finish a unit.

        Args:
            claim: the unit.
            done: operations that this agent has handled, in all units.
            counts: numbers to add to those of the round.
            plan: the units of the round, by phase, if this unit is the plan.

        Raises:
            SyncTakenOver: another agent has the unit, or another sync has begun.
            SyncInterrupted: Redis was restarted or failed over.
        """
        counted = _counted(counts)
        units = [
            part
            for phase, found in enumerate(plan, start=1)
            for unit in found
            for part in (unit.model_dump_json(), phase)
        ]
        arguments = [self._number, self._id, self._lease, claim.number, claim.token, done, len(counted) // 2]
        status, *details = self._call(scripts.FINISH, [*arguments, *counted, *units])
        if status != b"ok":
            self._raise_over(status, details)

    def leave(
        self, state: str, reason: str, *, stops: bool = False, done: int = 0, counts: Mapping[str, int] = NOTHING
    ) -> None:
        """End this agent: another one can claim its unit at once.

        Args:
            state: how it ends.
            reason: why.
            stops: stop the round for all agents.
            done: operations that it has handled.
            counts: numbers to add to those of the round, of a unit that no other agent may finish because the round stops.
        """
        self.journal.close()
        if self._number:
            arguments = [self._number, self._id, state, readable(reason), "1" if stops else "", done]
            self._call(scripts.LEAVE, [*arguments, *_counted(counts)])

    @property
    def _lease(self) -> int:
        return math.ceil(self._agent.lease * 1000)

    def _call(self, script: Script, arguments: list[Any]) -> Any:
        with translated_errors():
            return script(self._redis, self._keys, arguments)

    def _raise_over(self, status: bytes, details: list[bytes]) -> NoReturn:
        if status == b"lost":
            raise _silent()
        if status == b"replaced":
            _, by, at = (part.decode() for part in details)
            raise taken_over_by(by, at)
        if status == b"moved":
            raise SyncInterrupted(
                "Redis was restarted or failed over while several agents applied the diff. The sync has stopped. Apply the same "
                "diff again: it resumes at the first operation that is not done."
            )
        raise RoundOver(details[0].decode() if details else "")

    def _raise_gone(self) -> NoReturn:
        raise DiffNotFound(
            f"Diff {self._diff_id!r} was dropped, has expired, or was replaced by another diff of the same id since it was "
            "opened. Open it again, or make a new diff."
        )


class AgentJournal(RedisJournal):
    """The journal as an agent writes it: refused once another agent has taken over the unit."""

    claim: Claim | None = None

    def join(self, number: str, clock_offset: float, agent: str) -> None:
        """Write as an agent of a round."""
        self._start(number, clock_offset)
        self._stream_prefix = f"{agent}-"

    def begin(self, by: str) -> bool:
        """Do nothing: `join` has begun the round."""
        return False

    def end(self) -> None:
        """Do nothing: the agent that closes the round ends it."""

    def _arguments(self, stream: str, batch: int, parts: list[str]) -> tuple[Script, list[str], list[Any]]:
        assert self.claim is not None  # noqa: S101  # an agent writes only what it has claimed
        keys = [self._keys.writer, self._keys.journal, self._keys.claims]
        return scripts.WRITE, keys, [self._number, stream, batch, self.claim.number, self.claim.token, *parts]

    def _raise_refused(self, number: str, by: str, at: str) -> NoReturn:
        if (number, at) == ("0", "1"):
            raise _silent()
        super()._raise_refused(number, by, at)


def _counted(counts: Mapping[str, int]) -> list[Any]:
    return [part for name, count in counts.items() if count for part in (name, count)]


def _silent() -> SyncTakenOver:
    return SyncTakenOver(
        "Another agent has taken over the subtrees that this one worked on, because this one gave no sign of life for longer "
        "than its lease. Nothing more was written. The other agents go on."
    )


def read_round(client: Any, keys: DiffKeys) -> Round | None:
    """Return the last application of a diff by several agents; None if the last sync was by one, or there was none."""
    with translated_errors():
        answer = scripts.READ(client, [keys.record, keys.writer, keys.journal, *keys.of_agents()], [])
    if not answer:
        return None
    values, agents, units, claims, now, claimed = answer
    found = _pairs(values)
    return Round(
        agents=_states(_pairs(agents), _pairs(claimed), now / 1000),
        units=max(0, units - 2),
        units_done=max(0, min(int(found["next"]) - claims - 1, units - 2)),
        elements_done=int(found.get("elements", 0)),
        counts={name[6:]: int(value) for name, value in found.items() if name.startswith("count:")},
        is_attempted="attempted" in found,
        group=found["group"],
        closed_by=found.get("closed_by", ""),
        stopped=found.get("stopped", ""),
    )


def _pairs(flat: list[bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _states(fields: Mapping[str, str], units: Mapping[str, str], now: float) -> list[AgentState]:
    agents: dict[str, dict[str, str]] = {}
    for name, value in fields.items():
        agent, _, key = name.partition(":")
        agents.setdefault(agent, {})[key] = value
    states = [
        _state(agent, units, now) for agent in agents.values() if {"name", "began", "until", "seen"} <= agent.keys()
    ]
    return sorted(states, key=lambda agent: (agent.began, agent.name))


def _state(agent: dict[str, str], units: Mapping[str, str], now: float) -> AgentState:
    def number(name: str) -> int:
        return int(agent.get(name, 0))

    def moment(name: str) -> datetime:
        return datetime.fromtimestamp(number(name) / 1000, UTC)

    unit = None if "ended" in agent else units.get(agent.get("unit", ""))
    state = agent.get("state") or ("waiting" if unit is None else "working")
    if "ended" not in agent and number("until") / 1000 <= now:
        state = "taken over" if number("lost") else "silent"
    return AgentState(
        agent["name"],
        state,
        moment("began"),
        moment("seen"),
        number("done"),
        number("units"),
        number("took_over"),
        None if unit is None or state == "taken over" else Unit.model_validate_json(unit),
        agent.get("reason", ""),
    )

"""The scripts of several agents that apply one saved diff together: a round.

A round has units, numbered in the order of their phases. An agent claims one unit at a time. A claim has a lease and a token, which
is larger than that of every claim before it. Who has no claim with this token writes nothing: neither entries nor the end of the
unit. The first unit makes the plan, which adds the others; the last one closes the diff.
"""

from diffsync_store.store.redis.scripts.script import Script

JOIN = Script("agents/join")
CLAIM = Script("agents/claim")
RENEW = Script("agents/renew")
WRITE = Script("agents/write")
FINISH = Script("agents/finish")
LEAVE = Script("agents/leave")
READ = Script("agents/read")

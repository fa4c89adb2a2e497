"""The parts of the redis package that the library uses. No other module imports the package."""

try:
    import redis
    from redis import exceptions as redis_errors
    from redis.backoff import EqualJitterBackoff, NoBackoff
    from redis.cluster import ClusterNode
    from redis.connection import parse_url
    from redis.credentials import UsernamePasswordCredentialProvider
    from redis.retry import Retry
    from redis.sentinel import Sentinel
except ImportError as error:
    raise ImportError("RedisStore needs the redis package: pip install 'diffsync-store[redis]'") from error

__all__ = [
    "ClusterNode",
    "EqualJitterBackoff",
    "NoBackoff",
    "Retry",
    "Sentinel",
    "UsernamePasswordCredentialProvider",
    "parse_url",
    "redis",
    "redis_errors",
]

"""A folder in an object store (s3://, gs://, az://): whole objects, created once, through obstore."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from zslpipe.errors import ZslpipeError
from zslpipe.extras import need

SCHEMES = ("s3://", "gs://", "az://")
CONNECTIONS = 8
PATIENCE_S = 180  # how long a server that does not answer is asked again

T = TypeVar("T")
R = TypeVar("R")


def is_url(text: object) -> bool:
    """Whether this names a folder in an object store."""
    return isinstance(text, str) and text.startswith(SCHEMES)


class Bucket:
    """The objects below a URL, by their names there.

    Credentials, region and endpoint come from the environment, as for other tools (AWS_ENDPOINT_URL, ...). A server
    that does not answer is asked again for some minutes.
    """

    def __init__(self, url: str) -> None:
        need("obstore", "cloud", url)
        from obstore.store import from_url

        self.url = url.rstrip("/")
        retry: Any = {"max_retries": 100, "retry_timeout": timedelta(seconds=PATIENCE_S)}
        retry["backoff"] = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=5), "base": 2}
        with self._explained("be opened"):
            self.store: Any = from_url(self.url, client_options={"allow_http": True}, retry_config=retry)

    def get(self, name: str) -> bytes:
        """The content of an object.

        Raises:
            FileNotFoundError: if there is none.
            ZslpipeError: if it cannot be read.
        """
        import obstore

        with self._explained("be read", name):
            return bytes(obstore.get(self.store, name).bytes())

    def create(self, name: str, content: bytes) -> bool:
        """Write an object that does not exist yet; False if it exists, which then stays as it is."""
        import obstore

        try:
            with self._explained("be written", name):
                obstore.put(self.store, name, content, mode="create", use_multipart=False)
        except FileExistsError:
            return False
        return True

    def replace(self, name: str, content: bytes) -> None:
        """Write an object, whether it exists or not."""
        import obstore

        with self._explained("be written", name):
            obstore.put(self.store, name, content, use_multipart=False)

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects; those that do not exist are left out."""
        import obstore

        for name in names:
            try:
                with self._explained("be deleted", name):
                    obstore.delete(self.store, name)
            except FileNotFoundError:
                continue

    def sizes(self, folder: str = "") -> dict[str, int]:
        """The names of all objects, or of those in a folder, with their bytes."""
        import obstore

        with self._explained("be listed", folder):
            found = [one for page in obstore.list(self.store, folder or None) for one in page]
        return {str(one["path"]): int(one["size"]) for one in found}

    def each(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """`function` of every item, several at a time, in their order."""
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            yield from pool.map(function, items)

    @contextmanager
    def _explained(self, what: str, name: str = "") -> Iterator[None]:
        from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError, PreconditionError

        place = f"{self.url}/{name}" if name else self.url
        try:
            yield
        except (NotFoundError, FileNotFoundError) as problem:
            raise FileNotFoundError(f"{place} does not exist") from problem
        except (AlreadyExistsError, PreconditionError) as problem:
            raise FileExistsError(f"{place} exists") from problem
        except (BaseError, ValueError, OSError) as problem:
            reason = (" ".join(str(problem).split("Debug source")[0].split()) or type(problem).__name__)[:300]
            raise ZslpipeError(
                f"{place} could not {what} ({reason}): run again, finished pieces are kept."
            ) from problem

"""The routes: a page, and the same as JSON with an OpenAPI description."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Annotated, Any, TypeVar

from fastapi import File, Form, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser

from zslpipe.errors import InputError, ZslpipeError
from zslpipe.extract.batches import default_workers
from zslpipe.serving.described import Description, understand
from zslpipe.serving.web.answers import Answers
from zslpipe.serving.web.batching import Batcher, Busy
from zslpipe.serving.web.limits import App, Guard, Limits, busy, refusal
from zslpipe.serving.web.page import page

MOST_ADDED = 20  # classes that a request may add
Name = Annotated[str, Field(min_length=1, max_length=100)]
T = TypeVar("T")


class NewClass(BaseModel):
    """A class that is added for one request: described by a similar class, by attributes, by a sentence, or by all."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    like: str = Field("", max_length=200, description="Known class that supplies whatever is not given.")
    attributes: dict[Annotated[str, Field(max_length=200)], float] = Field(
        default_factory=dict, max_length=2000, description="Values by attribute, on the scale of the known classes."
    )
    sentence: str = Field("", max_length=1000, description='Such as "a red bill, black wings and no stripes".')

    def described(self) -> Description:
        return Description(self.name, self.like, self.attributes, self.sentence)


ADDED = TypeAdapter(Annotated[list[NewClass], Field(max_length=MOST_ADDED)])


def make_app(answers: Answers, limits: Limits, batch: int = 16) -> App:
    """The application; its backbone runs once per batch of waiting images."""
    batcher = Batcher(answers.predictor.images.of_pixels, batch, limits.at_once)
    decoders = ThreadPoolExecutor(default_workers(), thread_name_prefix="decode")
    heads = ThreadPoolExecutor(2, thread_name_prefix="head")

    @asynccontextmanager
    async def life(_: Any) -> AsyncIterator[None]:
        yield
        batcher.close()
        decoders.shutdown()
        heads.shutdown()

    api = FastAPIOffline(
        title=f"zslpipe: {answers.predictor.name}",
        description="Names pictures as classes of a zero-shot run, and as classes that a request describes.",
        version="1",
        redoc_url=None,
        lifespan=life,
        swagger_ui_parameters={"tryItOutEnabled": True},
    )
    MultiPartParser.spool_max_size = limits.body + 1  # pictures are not written to the disk
    _errors(api)
    _page(api, answers)

    async def in_pool(pool: ThreadPoolExecutor, work: Callable[..., T], *given: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work, *given)

    @api.get("/api/run", summary="The run: its classes, attributes and limits")
    async def run() -> dict[str, Any]:
        return about(answers, limits)

    @api.post("/api/describe", summary="How a description of a class is understood")
    async def describe(new: NewClass) -> dict[str, Any]:
        predictor = answers.predictor
        found = await in_pool(heads, understand, new.described(), predictor.classes, predictor.encode)
        return found.as_json()

    @api.post("/api/predict", summary="Name a picture")
    async def predict(
        image: Annotated[UploadFile, File(description="A JPEG, PNG, WEBP, GIF, BMP, TIFF or PPM.")],
        top: Annotated[int, Form(ge=1, le=100, description="Number of classes.")] = 5,
        explain: Annotated[bool, Form(description="Whether to return attributes and attention maps.")] = False,
        pictures: Annotated[bool, Form(description="Whether to draw the maps, as data URIs.")] = False,
        classes: Annotated[
            str, Form(max_length=200_000, description="JSON list of classes to add, as /api/describe takes them.")
        ] = "",
    ) -> dict[str, Any]:
        added = [one.described() for one in ADDED.validate_json(classes)] if classes.strip() else []
        predictor = await in_pool(heads, answers.among, added)
        pixels = await in_pool(decoders, answers.decode, await image.read())
        try:
            features = await asyncio.wrap_future(batcher.submit(pixels))
        except Busy:
            raise busy() from None
        told = await in_pool(heads, answers.name, predictor, features, top)
        if explain:
            told |= await in_pool(heads, answers.explain, predictor, features, pixels, pictures)
        return told

    return Guard(api, limits)


def about(answers: Answers, limits: Limits) -> dict[str, Any]:
    """What a page or a program needs to know."""
    classes, head = answers.predictor.classes, answers.predictor.head
    low, mean, high = classes.semantics.min(0), classes.semantics.mean(0), classes.semantics.max(0)
    return {
        "run": answers.predictor.name,
        "head": head.name,
        "semantics": "attributes" if answers.predictor.encode is None else "words",
        "probabilities": answers.predictor.confidence is not None,
        "classes": [{"class": name, "kind": classes.kind(c)} for c, name in enumerate(classes.names)],
        "attributes": [
            {"attribute": name, "least": float(a), "mean": float(b), "most": float(c)}
            for name, a, b, c in zip(classes.attribute_names, low, mean, high)
        ],
        "limits": {"bytes": limits.body, "requests_per_second": limits.rate or None, "added_classes": MOST_ADDED},
    }


def _page(api: Any, answers: Answers) -> None:
    """The page and its two files, which are read once."""
    html = page(answers.predictor)
    style = "".join(
        files(package).joinpath(name).read_text(encoding="utf-8")
        for package, name in (("zslpipe.report", "style.css"), ("zslpipe.serving.web", "page.css"))
    )
    script = files("zslpipe.serving.web").joinpath("page.js").read_text(encoding="utf-8")

    def serve(path: str, content: str, kind: str) -> None:
        response: type[Response] = HTMLResponse if kind == "text/html" else Response

        @api.get(path, include_in_schema=False)
        async def file() -> Response:
            return response(content, media_type=kind)

    serve("/", html, "text/html")
    serve("/page.css", style, "text/css")
    serve("/page.js", script, "text/javascript")


def _errors(api: Any) -> None:
    """Every error is an object with one sentence."""

    def answer(status: int, sentence: str) -> JSONResponse:
        return JSONResponse({"error": sentence}, status)

    @api.exception_handler(RequestValidationError)
    @api.exception_handler(ValidationError)
    async def invalid(_: Request, problem: RequestValidationError | ValidationError) -> JSONResponse:
        first = problem.errors()[0]
        place = ".".join(str(part)[:40] for part in first["loc"] if part != "body") or "the request"
        return answer(422, f"{place}: {str(first['msg'])[:200]}")

    @api.exception_handler(InputError)
    async def wrong(_: Request, problem: InputError) -> JSONResponse:
        return answer(400, str(problem)[:1000])

    @api.exception_handler(ZslpipeError)
    async def failed(_: Request, problem: ZslpipeError) -> JSONResponse:
        return answer(500, "this picture could not be processed.")

    @api.exception_handler(HTTPException)
    async def refused(_: Request, problem: HTTPException) -> JSONResponse:
        return refusal(problem)

    @api.exception_handler(Exception)
    async def unexpected(_: Request, problem: Exception) -> JSONResponse:
        return answer(500, "something went wrong in the server.")

"""The routes of contracts: what is served, each with its text and its schemas."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workermd.contract.model import Contract
from workermd.protocol.envelope import Document
from workermd.serve import responses
from workermd.serve.catalogue import Catalogue, Offer
from workermd.serve.openapi import openapi
from workermd.serve.problem import HttpProblem
from workermd.serve.routing import at


def routes(catalogue: Catalogue) -> list[Route]:
    offers = Offers(catalogue)
    return [
        at("/workers", GET=offers.listed),
        at("/workers/{worker}", GET=offers.one),
        at("/workers/{worker}/input.schema.json", GET=offers.input_schema),
        at("/workers/{worker}/output.schema.json", GET=offers.output_schema),
        at("/openapi.json", GET=offers.openapi),
    ]


class Offers:
    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def listed(self, _request: Request) -> Response:
        return responses.of_document({"workers": [offer.document for offer in self._catalogue.values()]})

    async def one(self, request: Request) -> Response:
        """The contract as it was written, for whoever asks for Markdown; else what it says, as JSON."""
        offer = found(self._catalogue, request)
        if "text/markdown" in request.headers.get("accept", ""):
            return Response(offer.data, 200, {"Vary": "Accept"}, "text/markdown")
        return responses.of_document(offer.document | _said(offer.worker.contract), Vary="Accept")

    async def input_schema(self, request: Request) -> Response:
        return responses.of_document(found(self._catalogue, request).worker.contract.input_schema)

    async def output_schema(self, request: Request) -> Response:
        return responses.of_document(found(self._catalogue, request).worker.contract.output_schema)

    async def openapi(self, request: Request) -> Response:
        return responses.of_document(openapi(self._catalogue, str(request.base_url).rstrip("/")))


def found(catalogue: Catalogue, request: Request) -> Offer:
    """The contract of a request's path. Raises HttpProblem."""
    offer = catalogue.get(request.path_params["worker"])
    if offer is None:
        raise HttpProblem(404, "no_such_worker", "No contract of this id is served here.", "see GET /workers")
    return offer


def _said(contract: Contract) -> Document:
    bounds = {name: value for name, value in contract.constraints._asdict().items() if value is not None}
    return {
        "statuses": contract.statuses,
        "constraints": bounds,
        "input_schema": contract.input_schema,
        "output_schema": contract.output_schema,
    }

"""A model behind another interface than OpenAI's: any-llm translates one request, and the wire stays as it is.

What a provider answers comes back as the completion or the error that an endpoint of OpenAI's would have sent, so usage,
refusals, rate limits, recordings and bounds mean the same whichever way a request went. The library is an extra, imported
where a model names a `provider`; its own retries are off.
"""

import json
import os
from typing import Any

import httpx2

from workermd.backends.agents.endpoint import EndpointLost, EndpointResponse
from workermd.protocol.envelope import Document
from workermd.task.binding import OPENAI, Model
from workermd.task.task import failed

EXTRA = "pip install 'workermd[providers]'"

_HEADERS = ("retry-after", "retry-after-ms")
"""What of a provider's response says when to come back."""


class ProviderEndpoint:
    """The same as an `Endpoint`, for a model with a `provider`."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.key = os.environ.get(model.api_key_env, "") if model.api_key_env else ""
        self.origin = model.provider if model.base_url == OPENAI else f"{model.provider} at {model.base_url}"

    async def close(self) -> None:
        """There is nothing to close: the library opens a connection for each request."""

    async def asked(self, _address: httpx2.URL | str, document: Document, _span: str) -> EndpointResponse:
        """Raises `EndpointLost`."""
        from any_llm import acompletion

        wish = {name: value for name, value in document.items() if name not in ("model", "messages", "stream")}
        try:
            answer: Any = await acompletion(
                self.model.name,
                document["messages"],
                provider=self.model.provider,
                api_key=self.key or None,
                api_base=None if self.model.base_url == OPENAI else self.model.base_url,
                client_args=_WITHOUT_RETRIES.get(self.model.provider, {}),
                **wish,
            )
        except Exception as error:  # noqa: BLE001 - each provider's library has errors of its own
            return self._failure(error)
        return EndpointResponse(200, {"content-type": "application/json"}, answer.model_dump_json().encode())

    def _failure(self, error: Exception) -> EndpointResponse:
        """The response that an endpoint of OpenAI's would have sent. Raises `EndpointLost` where there was none."""
        status: int | None = None
        headers: dict[str, str] = {}
        told = str(error)
        for each in _causes(error):
            status = status or _number(each, "status_code", "code", "status")
            response = getattr(each, "response", None)
            headers = headers or _headers(getattr(response, "headers", None))
            told = _message(each) or told
        if status is not None:
            return EndpointResponse(status, headers, json.dumps({"error": {"message": told}}).encode())
        if not any(isinstance(each, OSError) or _lost(each) for each in _causes(error)):
            # The library itself refuses what it cannot translate: as an endpoint that does not know it.
            return EndpointResponse(400, {}, json.dumps({"error": {"message": told}}).encode(), sent=False)
        raise EndpointLost(
            failed("retryable", "backend_unavailable", f"{self.origin} cannot be reached ({type(error).__name__})")
        ) from error


_WITHOUT_RETRIES: dict[str, Document] = {
    "anthropic": {"max_retries": 0},
    "azureanthropic": {"max_retries": 0},
    "openai": {"max_retries": 0},
    "azureopenai": {"max_retries": 0},
    "mistral": {"retry_config": None},
}
"""How a provider's own client is told to ask once. Those that stand nowhere do not repeat a request by themselves."""


def missing(model: Model) -> str:
    """Why a model's provider cannot be spoken to here; empty when it can."""
    from importlib.util import find_spec

    if find_spec("any_llm") is None:
        return f"model {model.name}: provider needs the module 'any_llm', which is not installed: {EXTRA}"
    from any_llm import AnyLLM, LLMProvider

    if model.provider not in {each.value for each in LLMProvider}:
        return f"model {model.name}: any-llm knows no provider {model.provider!r}"
    if AnyLLM.get_provider_class(model.provider).MISSING_PACKAGES_ERROR is not None:
        return f"model {model.name}: the library of {model.provider} is not installed: pip install 'any-llm-sdk[{model.provider}]'"
    return ""


def _causes(error: BaseException) -> list[BaseException]:
    """The error and those that it was made of, the outermost first."""
    found: list[BaseException] = []
    seen: BaseException | None = error
    while seen is not None and seen not in found:
        found.append(seen)
        seen = getattr(seen, "original_exception", None) or seen.__cause__ or seen.__context__
    return found


def _lost(error: BaseException) -> bool:
    """Whether the network failed: the libraries below have classes of their own for it."""
    return any(word in type(error).__name__ for word in ("Connect", "Timeout", "Network", "Transport", "Protocol"))


def _number(error: BaseException, *names: str) -> int | None:
    for name in names:
        value = getattr(error, name, None)
        if isinstance(value, int) and 300 <= value < 600:
            return value
    return None


def _headers(headers: Any) -> dict[str, str]:
    return {name: str(headers[name]) for name in _HEADERS if headers is not None and name in headers}


def _message(error: BaseException) -> str:
    """The provider's own words, from the body that its library kept."""
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else None
    return str(inner["message"]) if isinstance(inner, dict) and inner.get("message") else ""

"""Settings of every process, read from `LINKNER_*` environment variables (and `OPENAI_API_KEY`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from broker.loopback import is_loopback
from linkner.classification import FormName
from linkner.classification.form_files import ExamplesBy
from linkner.detection import EPSILON, MAX_CANDIDATES, THRESHOLD
from linkner.detectors import BUDGET
from linkner.errors import ConfigurationError


class Settings(BaseSettings):
    """One field, one variable: `llm_base_url` is `LINKNER_LLM_BASE_URL`. Times are seconds."""

    model_config = SettingsConfigDict(env_prefix="LINKNER_", extra="ignore", frozen=True)

    # Servers
    postgres_url: str = Field(
        "", repr=False, description="PostgreSQL, as postgresql://user:password@host:port/name"
    )
    redis_url: str = Field(
        "", repr=False, description="Redis for the limiter, as redis://… or redis+socket://…"
    )
    broker_url: str = Field("", repr=False, description="Celery's broker; the Redis URL where empty")
    recogniser_url: str = Field("http://127.0.0.1:8000", description="Base URL of the recognition service")
    key_prefix: str = Field("linkner:", description="Prefix of every key and queue in Redis")

    # LLM endpoint
    llm_base_url: str = Field("", description="OpenAI-compatible endpoint; without it no LLM is asked")
    llm_model: str = Field("gpt-4o-mini", description="Model name sent to the endpoint")
    openai_api_key: SecretStr = Field(
        SecretStr(""), validation_alias="OPENAI_API_KEY", description="Key of the LLM endpoint"
    )
    llm_deadline_s: float = Field(30.0, gt=0, description="Hard deadline of one LLM call")
    llm_endpoints: str = Field(
        "", description="JSON file of several endpoints; it replaces what is set for the one"
    )
    llm_requests_per_minute: int = Field(600, gt=0, description="Global limit over all LLM callers")
    llm_tokens_per_minute: int = Field(0, ge=0, description="The same for tokens; 0: no limit")
    llm_in_flight: int = Field(0, ge=0, description="The same for calls at once; 0: no limit")
    llm_money_per_hour: float = Field(
        0.0, ge=0, description="The same for cost in an hour (UTC); 0: no limit"
    )
    llm_money_per_day: float = Field(0.0, ge=0, description="The same for cost a day (UTC); 0: no limit")
    llm_stop_after_s: float = Field(
        80.0,
        gt=0,
        description="After SIGTERM, calls that take longer are broken off, and asked again later",
    )
    llm_slots: int = Field(32, gt=0, description="Calls at once in one LLM caller process")
    llm_gather_s: float = Field(
        0.2, ge=0, le=1, description="How long answers wait for others, to be written in one transaction"
    )
    llm_max_wait_s: float = Field(2.0, gt=0, description="Longest wait for the limiter inside a slot")

    # Questions
    label_set: str = Field("wnut17", description="Label set of the model and the questions")
    label_descriptions: str = Field("", description="JSON file that replaces the built-in descriptions")
    threshold: float | None = Field(
        None, ge=0, description=f"τ: predicted entities above it are asked about ({THRESHOLD:g})"
    )
    epsilon: float | None = Field(
        None, ge=0, le=1, description=f"ε: entity probability above which O spans are asked ({EPSILON:g})"
    )
    budget: float | None = Field(
        None,
        ge=0,
        le=100,
        description="Posts of 100 that may be asked about; replaces τ and ε where it is set "
        f"({BUDGET:g} where neither is and the model is calibrated)",
    )
    calibration: str = Field("", description="The model's calibration.json; that of the default checkpoint")
    max_candidates: int = Field(MAX_CANDIDATES, ge=0, description="Most candidates of one document")
    question_form: FormName = Field(
        "propose",
        description="per-span, packed (all candidates at once) or propose (the LLM may add to them)",
    )
    question_descriptions: bool = Field(True, description="Whether questions describe the labels")
    question_template: str = Field("", description="File with the words of per-span questions")
    question_examples: str = Field("", description="CoNLL file to take few-shot examples from (per-span)")
    question_examples_by: ExamplesBy = Field(
        "random", description="random: the same examples for all posts; overlap: those that share most words"
    )
    question_seed: int = Field(0, description="Seed of the random examples")
    cache_max_age_s: float = Field(
        30 * 86_400.0, ge=0, description="Age up to which an answer serves equal questions; 0 asks each anew"
    )
    llm_prices: str = Field("", description="JSON file of prices for a million tokens, by model and endpoint")
    budget_per_day: float = Field(0.0, ge=0, description="Cost of calls after which a day (UTC) asks no more")
    lane: Literal["now", "batch", "never"] = Field(
        "now", description="When documents are asked about: now, batch (within a day) or never"
    )
    sources: str = Field("", description="JSON file of lane, deadline_s and budget_per_day by source")
    max_attempts: int = Field(5, gt=0, description="Attempts after which a question or a document ends")

    # Batches
    batch_at_least: int = Field(
        100, gt=0, description="Waiting questions of the batch lane that make a batch"
    )
    batch_at_most: int = Field(5_000, gt=0, le=50_000, description="Most questions of one batch")
    batch_after_s: float = Field(600.0, ge=0, description="Longest wait for a batch to fill")
    batch_poll_s: float = Field(30.0, gt=0, description="Seconds between two looks at the batches")
    batch_deadline_s: float = Field(
        26 * 3600.0, gt=0, description="Age at which a document of the batch lane goes without its answers"
    )
    late_answers: Literal["drop", "revise"] = Field(
        "drop",
        description="What becomes of a batch's answers past the deadline: nothing, or another revision",
    )

    # Delivery
    visibility_timeout_s: int = Field(300, gt=0, description="After it Redis delivers unacked messages again")
    republish_margin_s: float = Field(60.0, ge=0, description="Added before a lost id is published again")
    lease_margin_s: float = Field(10.0, gt=0, description="Added to the LLM deadline: a question's lease")
    recognise_slots: int = Field(2, gt=0, description="Chunks at once in one recognise worker")
    recognise_timeout_s: float = Field(60.0, gt=0, description="Longest wait for one chunk's recognition")
    recognise_chunk: int = Field(64, gt=0, le=256, description="Documents in one recognise message")
    classify_chunk: int = Field(8, gt=0, le=1024, description="Questions in one classify message")
    aggregate_chunk: int = Field(128, gt=0, le=1024, description="Documents in one aggregate message")
    recognise_depth: int = Field(8, gt=0, description="Most recognise messages that wait in the queue")
    classify_depth: int = Field(32, gt=0, description="Most classify messages that wait in the queue")
    aggregate_depth: int = Field(8, gt=0, description="Most aggregate messages that wait in the queue")
    deadline_s: float = Field(3600.0, gt=0, description="Age at which an open question ends unanswered")
    document_deadline_s: float = Field(
        86_400.0, gt=0, description="Age at which a document that waits for recognition ends without entities"
    )
    relay_poll_s: float = Field(1.0, gt=0, description="Longest time between two looks for due work")
    relay_step_s: float = Field(
        0.05, ge=0, le=1, description="Shortest time between two looks: more goes together then"
    )

    # Retention
    retention_days: float = Field(
        0.0, ge=0, description="Days after which a finished document is erased; 0 keeps all"
    )

    # Operation
    heartbeat_file: str = Field("", description="File that a worker or relay touches while it is alive")

    # Clients of the gateway
    api_key: SecretStr = Field(SecretStr(""), description="Key that `linkner submit` and the like send")

    # Gateway
    gateway_host: str = Field("127.0.0.1", description="Address that the gateway listens on")
    gateway_port: int = Field(8080, ge=0, le=65535, description="Its port; 0 takes a free one")
    gateway_keys: Literal["auto", "required", "off"] = Field(
        "auto", description="Whether requests need an API key; auto: unless only this machine can reach it"
    )
    gateway_tls_cert: str = Field("", description="Certificate chain (PEM) to serve HTTPS with")
    gateway_tls_key: str = Field("", description="The certificate's private key (PEM)")
    max_text_chars: int = Field(20_000, gt=0, description="Longest accepted text, in code points")
    max_items: int = Field(1_000, gt=0, description="Most documents in one request")
    max_body_bytes: int = Field(8_000_000, gt=0, description="Largest accepted request body")
    high_water: int = Field(
        100_000,
        gt=0,
        description="Unfinished documents, without those in batches, above which the gateway says 429",
    )

    @property
    def broker(self) -> str:
        """The broker's URL: `broker_url`, else Redis."""
        return self.broker_url or self.redis_url

    @property
    def has_llm(self) -> bool:
        """Whether an LLM endpoint is configured."""
        return bool(self.llm_base_url or self.llm_endpoints)

    @property
    def needs_keys(self) -> bool:
        """Whether the gateway's requests need an API key."""
        if self.gateway_keys == "auto":
            return not is_loopback(self.gateway_host)
        return self.gateway_keys == "required"

    def lease_s(self, *, deadline_s: float) -> float:
        """How long a claimed question is held: a call's deadline, the limiter's wait, and a margin."""
        return deadline_s + self.llm_max_wait_s + self.lease_margin_s

    @property
    def retention_s(self) -> float | None:
        """Age at which a finished document is erased; None where it is kept."""
        return self.retention_days * 86_400.0 or None

    @property
    def republish_after_s(self) -> float:
        """Age at which a published but unfinished id counts as lost."""
        return self.visibility_timeout_s + self.republish_margin_s

    def require(self, *names: str) -> None:
        """Raise ConfigurationError for the first of these fields that is empty."""
        for name in names:
            if not getattr(self, name):
                raise ConfigurationError(
                    f"the environment variable LINKNER_{name.upper()} is not set",
                    expected=type(self).model_fields[name].description or "a value",
                    hint="set it, or start everything with `linkner up`, which sets it for its processes",
                )


def load_settings() -> Settings:
    """The settings from the environment.

    Raises:
        ConfigurationError: naming the variable that cannot be read; values are not shown.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = str(first["loc"][0]).upper()
        variable = name if name.startswith("OPENAI") else f"LINKNER_{name}"
        raise ConfigurationError(
            f"the environment variable {variable} cannot be used", expected=first["msg"]
        ) from None

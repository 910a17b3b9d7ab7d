"""The OpenAI Python SDK against `synaxis run` in front of `synaxis mock`: nothing tells it from the real thing."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest

from gateway import eventually

MESSAGES = [{"role": "user", "content": "Hello"}]
TOOLS = [
    {
        "type": "function",
        "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
    }
]


@pytest.fixture
def client():
    """Makes clients of a gateway that do not retry by themselves; they are closed in the end."""
    made = []

    def begin(at, kind=openai.OpenAI, **options):
        made.append(kind(base_url=at.url + "/v1", api_key="sk-client", max_retries=0, timeout=20, **options))
        return made[-1]

    yield begin
    for one in made:
        if isinstance(one, openai.OpenAI):
            one.close()


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_chat(gateway, mock, client):
    done = client(gateway(mock())).chat.completions.create(model="m", messages=MESSAGES)
    assert done.choices[0].message.content and done.usage.total_tokens > 0 and done.model == "m"


def test_chat_stream_equals_plain(gateway, mock, client):
    api = client(gateway(mock("--gap-ms 1")))
    plain = api.chat.completions.create(model="m", messages=MESSAGES).choices[0].message.content
    chunks = list(
        api.chat.completions.create(
            model="m", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    assert text_of(chunks) == plain
    assert chunks[-1].usage.total_tokens > 0


def test_failover_is_not_seen(gateway, mock, client):
    at = gateway(mock("--fail 500"), mock("--fail 401"), mock())
    api = client(at)
    for stream in (False, True):
        answer = api.chat.completions.with_raw_response.create(model="m", messages=MESSAGES, stream=stream)
        assert answer.headers["x-synaxis-provider"] == "c"
        assert text_of(answer.parse()) if stream else answer.parse().choices[0].message.content


def test_async(gateway, mock, client):
    api = client(gateway(mock("--gap-ms 1")), openai.AsyncOpenAI)

    async def ask(stream):
        done = await api.chat.completions.create(model="m", messages=MESSAGES, stream=stream)
        return text_of([chunk async for chunk in done]) if stream else done.choices[0].message.content

    async def all_at_once():
        async with api:
            return await asyncio.gather(*(ask(number % 2 == 0) for number in range(20)))

    assert len(set(asyncio.run(all_at_once()))) == 1


def test_more_at_once_than_there_is_room_for(gateway, mock, client):
    """Those who are turned away hear it at once, on connections that stay."""
    at = gateway(mock("--think-ms 50"), more="limits: { concurrent_requests: 5, queue: 5 }\n")
    api = client(at, openai.AsyncOpenAI)

    async def ask(number):
        try:
            await api.chat.completions.create(model="m", messages=[{"role": "user", "content": f"{number}"}])
            return 200
        except openai.APIStatusError as error:
            return error.status_code

    async def all_at_once():
        async with api:
            return await asyncio.gather(*(ask(number) for number in range(40)))

    found = asyncio.run(all_at_once())
    assert set(found) == {200, 503} and found.count(200) >= 10


def test_a_stream_is_over_at_done(gateway, provider, client):
    """The SDK closes its connection there. The last chunk comes later."""
    at = gateway(provider)
    api = client(at)
    for number in range(5):
        with ThreadPoolExecutor() as pool:
            begun = pool.submit(lambda: list(api.chat.completions.create(model="m", messages=MESSAGES, stream=True)))
            assert provider.read() == (number == 0), "the connection is used again"
            provider.current.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            provider.current.send_chunk(b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\n')
            provider.current.send_chunk(b"data: [DONE]\n\n")
            assert text_of(begun.result()) == "x"
        httpx.get(at.url + "/livez")
        provider.current.send(b"0\r\n\r\n")
        assert at.record()["end"] == "complete"


def test_tools(gateway, mock, client):
    api = client(gateway(mock("--gap-ms 1")))
    plain = api.chat.completions.create(model="m", messages=MESSAGES, tools=TOOLS)
    call = plain.choices[0].message.tool_calls[0]
    assert call.function.name == "weather" and plain.choices[0].finish_reason == "tool_calls"
    with api.chat.completions.stream(model="m", messages=MESSAGES, tools=TOOLS) as stream:
        kinds = {event.type for event in stream}
        done = stream.get_final_completion()
    assert "tool_calls.function.arguments.delta" in kinds
    streamed = done.choices[0].message.tool_calls[0]
    assert (streamed.function.name, streamed.function.arguments) == (call.function.name, call.function.arguments)


def test_raw_response(gateway, mock, client):
    at = gateway(mock("--fail 429 --name first"), mock("--name second"))
    answer = client(at).chat.completions.with_raw_response.create(
        model="m", messages=MESSAGES, extra_headers={"X-Request-ID": "mine"}
    )
    headers = answer.headers
    assert answer.request_id == "mine" and headers["x-synaxis-provider"] == "b"
    assert headers["x-synaxis-attempts"].startswith("a=429;") and "x-ratelimit-remaining-requests" in headers
    assert "upstream;dur=" in headers["server-timing"] and headers["openai-version"] == "2020-10-01"
    assert answer.parse().choices


@pytest.mark.parametrize(
    "options, exception, status",
    [
        ("--fail 429 --retry-after 33", openai.RateLimitError, 429),
        ("--fail 500", openai.InternalServerError, 502),
        ("--fail 401", openai.InternalServerError, 502),
        ("--fail error-in-200", openai.InternalServerError, 502),
        ("--fail empty-stream", openai.InternalServerError, 502),
        ("--fail truncate", openai.InternalServerError, 502),
    ],
)
def test_errors(gateway, mock, client, options, exception, status):
    with pytest.raises(exception) as raised:
        client(gateway(mock(options))).chat.completions.create(model="m", messages=MESSAGES)
    error = raised.value
    assert error.status_code == status and error.request_id.startswith("req_")
    if status == 429:
        assert error.response.headers["retry-after"] == "33" and error.code == "rate_limit_exceeded"
    else:
        assert error.code == "upstream_routing_failure" and "a " in error.message


def test_unavailable(gateway, mock, client):
    api = client(gateway(mock("--fail 401")))
    for status in (502, 503):
        with pytest.raises(openai.InternalServerError) as raised:
            api.chat.completions.create(model="m", messages=MESSAGES)
        assert raised.value.status_code == status
    assert int(raised.value.response.headers["retry-after"]) > 3000


def test_model_not_found(gateway, mock, client):
    with pytest.raises(openai.NotFoundError) as raised:
        client(gateway(mock())).chat.completions.create(model="n", messages=MESSAGES)
    assert raised.value.code == "model_not_found" and raised.value.param == "model"


def test_bad_request(gateway, mock, client):
    with pytest.raises(openai.BadRequestError) as raised:
        client(gateway(mock())).post("/chat/completions", cast_to=object, body={"messages": MESSAGES})
    assert raised.value.code == "missing_required_field" and raised.value.param == "model"


def test_refused(gateway, provider, client):
    provider.refuse()
    with pytest.raises(openai.InternalServerError) as raised:
        client(gateway(provider, entry=", start_wait: 0")).chat.completions.create(model="m", messages=MESSAGES)
    assert "a cannot be reached" in raised.value.message


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_is_being_loaded(gateway, mock, client, stream):
    """llama.cpp says 503 meanwhile, and the SDK need not know."""
    api = client(gateway(mock("--gap-ms 1 --fail 503:3")))
    done = api.chat.completions.create(model="m", messages=MESSAGES, stream=stream)
    assert text_of(done) if stream else done.choices[0].message.content


@pytest.mark.parametrize("mode", ["reset-after-chunks:3", "truncate"])
def test_broken_stream_is_an_error(gateway, mock, client, mode):
    """What has come is given out, and then the SDK raises: the stream does not look complete."""
    api = client(gateway(mock(f"--gap-ms 1 --fail {mode}")))
    got = []
    with pytest.raises(openai.APIError, match="broke off"):
        for chunk in api.chat.completions.create(model="m", messages=MESSAGES, stream=True):
            got.append(chunk)
    assert text_of(got)


def test_cancellation_in_mid_stream(gateway, mock, client):
    slow = mock("--gap-ms 20 --chunks 100000")
    at = gateway(slow)
    stream = client(at).chat.completions.create(model="m", messages=MESSAGES, stream=True)
    next(iter(stream))
    stream.close()
    eventually(lambda: slow.stats["cancelled"] == 1, "the provider being cancelled")
    assert at.record()["end"] == "client_left"


def test_timeout_before_the_first_byte(gateway, mock, client):
    slow = mock("--fail hang")
    api = client(gateway(slow))
    with pytest.raises(openai.APITimeoutError):
        api.chat.completions.create(model="m", messages=MESSAGES, timeout=httpx.Timeout(20, read=0.3))
    eventually(lambda: slow.stats["cancelled"] == 1, "the provider being cancelled")


def test_async_cancellation(gateway, mock, client):
    slow = mock("--gap-ms 20 --chunks 100000")
    api = client(gateway(slow), openai.AsyncOpenAI)

    async def begin_and_leave():
        async with api:
            started = asyncio.Event()

            async def follow():
                async for _ in await api.chat.completions.create(model="m", messages=MESSAGES, stream=True):
                    started.set()

            task = asyncio.create_task(follow())
            await started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(begin_and_leave())
    eventually(lambda: slow.stats["cancelled"] == 1, "the provider being cancelled")


def test_other_endpoints(gateway, mock, client):
    api = client(gateway(mock("--gap-ms 1")))
    embedded = api.embeddings.create(model="m", input=["one", "two"])
    assert [one.index for one in embedded.data] == [0, 1]
    assert embedded.data[0].embedding != embedded.data[1].embedding
    assert api.completions.create(model="m", prompt="x").choices[0].text
    assert "".join(part.choices[0].text for part in api.completions.create(model="m", prompt="x", stream=True))
    assert api.moderations.create(model="m", input="x").results
    assert api.images.generate(model="m", prompt="x").data
    assert api.audio.speech.create(model="m", voice="alloy", input="x").read()
    assert api.audio.transcriptions.create(model="m", file=("a.wav", b"RIFF\x00\xff" * 1000)).text


def test_responses(gateway, mock, client):
    api = client(gateway(mock("--gap-ms 1")))
    plain = api.responses.create(model="m", input="Hello")
    assert plain.output_text
    events = list(api.responses.create(model="m", input="Hello", stream=True))
    assert events[0].type == "response.created" and events[-1].type == "response.completed"
    deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert deltas == plain.output_text == events[-1].response.output_text


def test_models(gateway, mock, client):
    api = client(gateway(mock(), models="[m, org/n]"))
    assert [model.id for model in api.models.list()] == ["m", "org/n"]
    assert api.models.retrieve("org/n").id == "org/n"
    with pytest.raises(openai.NotFoundError):
        api.models.retrieve("none")

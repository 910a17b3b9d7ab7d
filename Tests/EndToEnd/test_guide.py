'''The performance guide's commands, as they are written there: only ports and places in /tmp are other ones.

Its nginx block is in test_nginx.py, its DROP test in contrib/failover-test.
'''

import shutil
import subprocess

import pytest

from gateway import Gateway
from pages import ask

BENCHMARK = r"""#!/bin/bash
# benchmark.sh - Simple load test

API_URL="http://localhost:8080/v1/chat/completions"
MODEL="llama-3.3-70b-versatile"
CONCURRENT=10
REQUESTS=100

echo "Running benchmark: ${CONCURRENT} concurrent, ${REQUESTS} total"

# Generate test payload
cat > /tmp/payload.json << 'EOF'
{
  "model": "llama-3.3-70b-versatile",
  "messages": [{"role": "user", "content": "Say hello in 5 words"}],
  "max_tokens": 20
}
EOF

# Run with Apache Bench (apt install apache2-utils)
ab -n $REQUESTS -c $CONCURRENT \
  -T 'application/json' \
  -p /tmp/payload.json \
  -g /tmp/benchmark.tsv \
  $API_URL
"""

GRADUAL = r"""#!/bin/bash
# gradual-load-test.sh

for concurrent in 1 5 10 20 50; do
  echo "Testing with $concurrent concurrent requests..."
  
  ab -n 100 -c $concurrent \
    -T 'application/json' \
    -p /tmp/payload.json \
    http://localhost:8080/v1/chat/completions 2>&1 \
    | grep -E "(Requests per second|Time per request|Failed)"
  
  sleep 5
done
"""

CURL = r"""
curl http://localhost:8080/v1/chat/completions \
  -H "Content-Type: application/json" \
  -d '{"model":"llama-3.3-70b-versatile","messages":[{"role":"user","content":"Write a story"}]}'
"""

CURL_STREAM = r"""
curl http://localhost:8080/v1/chat/completions \
  -H "Content-Type: application/json" \
  -d '{"model":"llama-3.3-70b-versatile","stream":true,"messages":[{"role":"user","content":"Write a story"}]}'
"""

HEALTHY = r"""
curl -s http://localhost:8080/admin/health \
  -H "Authorization: Bearer $TOKEN" \
  | jq '.providers[] | select(.status == "online") | .name'
"""

# Its appsettings.json, where it has what a tier file needs.
PROVIDERS = r"""
{
  "Synaxis": {
    "InferenceGateway": {
      "Providers": {
        "Groq": {
          "Enabled": true,
          "Type": "groq",
          "Key": "GROQ_API_KEY",
          "Tier": 0,
          "Models": ["llama-3.3-70b-versatile"]
        },
        "Cloudflare": {
          "Enabled": true,
          "Type": "cloudflare",
          "Key": "CF_API_TOKEN",
          "Tier": 1,
          "Models": ["@cf/meta/llama-3.1-8b-instruct"]
        },
        "DeepInfra": {
          "Enabled": true,
          "Type": "openai",
          "Endpoint": "https://api.deepinfra.com/v1/openai",
          "Key": "DEEPINFRA_KEY",
          "Tier": 2,
          "Models": ["meta-llama/Llama-3.3-70B-Instruct"]
        }
      }
    }
  }
}
"""

LOGGING = r"""
  "Logging": {
    "LogLevel": {
      "Synaxis": "Debug"
    }
  },
"""

TRACED = r"""
curl http://localhost:8080/v1/chat/completions \
  -H "Content-Type: application/json" \
  -H "X-Request-ID: perf-test-001" \
  -d '{...}'
"""


@pytest.fixture
def run(gateway, mock, tmp_path):
    """Runs a script against two providers, of which the first rejects its key."""
    at = gateway(mock("--fail 401"), mock(), models='["*"]', more="admin: { token: tok }\n")

    def begin(script):
        for tool in ("ab", "curl", "jq"):
            assert shutil.which(tool), f"{tool} is not installed"
        script = script.replace("localhost:8080", "localhost:%d" % at.address[1])
        script = script.replace("/tmp/", f"{tmp_path}/")
        # A second between two steps measures nothing here.
        script = script.replace("sleep 5", "")
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, timeout=120, env={"PATH": "/usr/bin:/bin", "TOKEN": "tok"}
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    begin.gateway = at
    return begin


def test_providers(start):
    """It never mentions Cloudflare's account: that one is left out, and the others serve."""
    # `Gateway` adds neither listen: nor cache: to a file that mentions them.
    text = "// listen: cache:\n" + PROVIDERS.replace("{", '{ "listen": "127.0.0.1:0", "admin": { "token": "tok" },' + LOGGING, 1)
    keys = {"GROQ_API_KEY": "g", "CF_API_TOKEN": "c", "DEEPINFRA_KEY": "d"}
    at = start(Gateway, text, environment=keys)
    listed = ask(at, "/v1/models").json["data"]
    assert [model["provider"] for model in listed] == ["Groq", "DeepInfra"]
    health = ask(at, "/admin/health", token="tok").json
    states = {provider["name"]: (provider["status"], provider.get("reason")) for provider in health["providers"]}
    assert states["Cloudflare"] == ("disabled", "the type cloudflare needs account_id (or an endpoint)")
    assert states["Groq"][0] == states["DeepInfra"][0] == "online"
    assert ask(at, "/v1/nothing").status == 404
    at.line(lambda line: "level=debug" in line)


def test_ab(run):
    said = run(BENCHMARK)
    assert "Complete requests:      100\n" in said
    assert "Failed requests:        0\n" in said and "Non-2xx" not in said


def test_ab_with_more_and_more(run):
    run(BENCHMARK)
    said = run(GRADUAL)
    assert said.count("Failed requests:        0\n") == 5
    assert said.count("Requests per second") == 5


def test_curl(run):
    assert '"choices"' in run(CURL)
    assert run(CURL_STREAM).endswith("data: [DONE]\n\n")


def test_jq(run):
    run(CURL)
    assert run(HEALTHY) == '"b"\n'


def test_x_request_id_is_found_in_the_log(run):
    run(TRACED)
    assert run.gateway.record()["id"] == "perf-test-001"
    run(TRACED.replace("{...}", '{"model":"m","messages":[]}'))
    assert run.gateway.record()["id"] == "perf-test-001"

"""The performance guide's failover test, as it is written there."""
import os
import subprocess
import time

from actors import ADDRESS
from lab import NAMES, die_with_parent

SCRIPT = r"""
# Test failover by blocking a provider
iptables -A OUTPUT -p tcp --dport 443 -d api.groq.com -j DROP

# Run requests - should failover to other providers
for i in {1..10}; do
  curl -s -w "%{http_code}\n" \
    http://localhost:8080/v1/chat/completions \
    -H "Content-Type: application/json" \
    -d '{"model":"llama-3.3-70b-versatile","messages":[{"role":"user","content":"Hi"}]}'
  sleep 1
done

# Restore connectivity
iptables -D OUTPUT -p tcp --dport 443 -d api.groq.com -j DROP
"""
REQUEST = SCRIPT[SCRIPT.index("  curl"):SCRIPT.index("  sleep")]


def guide(lab, report):
    """As it is written, and once more where synaxis speaks HTTP/1.1 to the providers, with shorter pauses."""
    play(lab, report, "auto", pause=1)
    play(lab, report, "1.1", pause=0.1)


def play(lab, report, version, pause):
    """Groq and a second provider have the model, by their presets' own endpoints; a connection to Groq is pooled."""
    folder = os.path.join("/etc/netns", lab.space("gw"))
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "hosts"), "w") as file:
        file.write("127.0.0.1 localhost\n")
        file.writelines(f"{ADDRESS[provider]} {name}\n" for provider, name in zip(("p1", "p2"), NAMES))
    lab.run_gateway("guide-" + version, [
        "listen: 127.0.0.1:8080", "allow_anonymous: true", "cache: off", "log: {level: debug}", "providers:",
        f"  groq: {{type: groq, key: k, http: {version}, tier: 0, models: [llama-3.3-70b-versatile]}}",
        f"  deepinfra: {{type: deepinfra, key: k, http: {version}, tier: 1,",
        "    models: {llama-3.3-70b-versatile: meta-llama/Llama-3.3-70B-Instruct}}",
    ], 8080)

    def shell(script):
        return subprocess.run(["ip", "netns", "exec", lab.space("gw"), "bash", "-c", script], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, preexec_fn=die_with_parent).stdout

    before = shell(REQUEST)
    began = time.monotonic()
    told = shell(SCRIPT.replace("sleep 1", f"sleep {pause}"))
    took = time.monotonic() - began - 10 * pause
    codes = [line[-3:] for line in told.splitlines()]
    lab.stop()
    good = '"content": "p1"' in before and codes == ["200"] * 10 and told.count('"content": "p2"') == 10 and took < 5
    report.note(f"the guide's script, http: {version}", f"with a pooled connection: {' '.join(codes)}, {took:.1f} s besides its pauses"
                f"{'' if good else repr(told[:300])}", good)

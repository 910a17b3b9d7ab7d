"""Certificates for tests, made by the openssl command."""

import subprocess

AUTHORITY = """
[ca]
default_ca = us
[us]
database = {directory}/index
new_certs_dir = {directory}
serial = {directory}/serial
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""


def make(directory, name="certificate", names="IP:127.0.0.1,DNS:localhost", begin="20200101000000Z", end="20490101000000Z", issuer=None, signs=False):
    """A file in PEM with a certificate and its key. It signs itself, or `issuer`, another such file, has signed it.
    `signs`: it may sign others."""
    directory.mkdir(exist_ok=True)
    config, request, file = (directory / f"{name}.{kind}" for kind in ("conf", "request", "pem"))
    config.write_text(AUTHORITY.format(directory=directory))
    (directory / "index").touch()
    (directory / "serial").write_text("01")

    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
            "-addext", f"subjectAltName={names}", *(["-addext", "basicConstraints=critical,CA:TRUE"] if signs else []), "-keyout", file, "-out", request)
    key = file.read_text()
    signer = ["-cert", issuer, "-keyfile", issuer] if issuer else ["-selfsign", "-keyfile", file]
    openssl("ca", "-batch", "-notext", "-config", config, *signer, "-in", request, "-out", directory / "made",
            "-startdate", begin, "-enddate", end)
    file.write_text(key + (directory / "made").read_text())
    return file

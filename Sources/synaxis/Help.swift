/// What `--help` says. Enough to work with, without the README.
enum Help {
  static let commands = [
    "run", "check", "demo", "mock", "bench", "status", "reset", "batch", "init", "schema",
  ]

  static let overview = """
    synaxis spreads OpenAI-style requests over tiers of providers, and fails over without a client noticing.

    usage: synaxis COMMAND [OPTIONS]

      run    [-c FILE]        serve. Without -c: $SYNAXIS_CONFIG, ./synaxis.yaml, /etc/synaxis/synaxis.yaml
      check  [-c FILE]        say every problem of a tier file, and print what it comes to
      demo                    the main job with no file, key or network
      mock   [OPTIONS]        an OpenAI-style provider to test against
      bench  URL [OPTIONS]    load, and the times to first token
      status [--watch]        the providers of a running instance as a table
      reset  [PROVIDER]       end the cooldowns of a running instance's providers
      batch  FILE -o OUT      run a file in OpenAI's Batch format through a running instance
      init   [--free]         print a commented tier file to start from
      schema                  print the tier file's JSON Schema, by which editors complete and check
      --version, --help, COMMAND --help

    First steps: synaxis demo; synaxis init >synaxis.yaml; synaxis check; synaxis run
    Then point the client at it: OPENAI_BASE_URL=http://127.0.0.1:8080/v1
    Signals: TERM and INT drain (a second one ends at once), HUP reads the tier file again, USR1 switches debug
    lines on and off.
    Exit codes: 0, 1 failed, 64 usage, 65 a batch's files, 69 cannot listen or connect, 74 cannot write, 78 tier file.

    """

  /// What `synaxis` without a command says.
  static let firstSteps = """
    synaxis spreads OpenAI-style requests over tiers of providers.

      synaxis demo                           see it work: no file, no key, no network
      synaxis init >synaxis.yaml             a commented tier file to start from
      synaxis check                          what it comes to, and what is missing
      synaxis run                            serve on http://127.0.0.1:8080/v1
      synaxis --help                         everything else

    """

  static let initial = """
    usage: synaxis init [--free]

    Prints a commented tier file to start from: synaxis init >synaxis.yaml
    Providers whose keys are not in the environment are in it, and left out until they are.
    --free  a chain of free tiers instead.

    """

  static let schema = """
    usage: synaxis schema

    Prints the tier file's JSON Schema: every key, with what it means, its default and bounds. Editors with a YAML
    language server complete and check the file when its first line says
      # yaml-language-server: $schema=synaxis.schema.json
    after: synaxis schema >synaxis.schema.json

    """

  static let run = """
    usage: synaxis run [-c FILE] [--log-level none|error|warning|info|debug]

    Serves. Without -c: $SYNAXIS_CONFIG, ./synaxis.yaml, /etc/synaxis/synaxis.yaml, the first that exists.
    The log goes to stderr, one line for each exchange. --log-level goes before what the file says.
    Exit codes: 0 ended by a signal, 64 usage, 69 cannot listen, 78 the tier file has errors.

    """

  static let check = """
    usage: synaxis check [-c FILE] [--strict] [--route MODEL]

    Reads the file as `run` would and says every problem at once, as FILE:LINE:COLUMN: error: …
    Prints listeners, limits, tiers, providers, models and aliases, secrets masked.
    A provider whose key or account is not there is left out with a warning, as long as another remains.
    --strict makes warnings errors.
    --route MODEL prints instead in which order the candidates of a model or alias are tried.
    Exit codes: 0 the file is good, 78 it is not, or nobody serves that model.

    """

  static let demo = """
    usage: synaxis demo

    Two mock providers and the real proxy in front of them, in this process: no tier file, no key, no network.
    Prints a curl line to try. Listens on 127.0.0.1:8080, or on any free port where that one is taken.

    """

  static let status = """
    usage: synaxis status [--url URL] [--watch | --check] [--token TOKEN] [-c FILE]

    The providers of a running instance: state, tier, latency to the first token, share of good outcomes of the
    last five minutes, attempts under way, what is left of the quota, and how long it is left alone and why.
    --url    http[s]://HOST:PORT or unix:PATH. Without it: the admin listener, else the first listener, of the tier
             file that `run` would take. An https:// one has to have a good certificate for the system's authorities,
             or for those of $SSL_CERT_FILE; a listener of the tier file has to show the one that is named there.
    --token  the admin token; also from $SYNAXIS_ADMIN_TOKEN, and from the tier file where that says the address.
    --watch  again each second, until Ctrl-C.
    --check  no table and no token: exit code 0 if the instance can serve, 1 if it cannot, 69 if nobody answers.
    Colours on a terminal unless NO_COLOR is set. Exit codes: 0, 64 usage or token, 69 nobody answers, 78 tier file.

    """

  static let reset = """
    usage: synaxis reset [PROVIDER] [--url URL] [--token TOKEN] [-c FILE]

    Ends the cooldowns of a provider, so that it is tried again at once; without a name, of each that is left alone.
    --url, --token and -c are those of `synaxis status`.
    Exit codes: 0, 1 no such provider, 64 usage or token, 69 nobody answers, 78 tier file.

    """
}

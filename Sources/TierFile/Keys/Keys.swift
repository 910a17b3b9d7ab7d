internal import Base

// The rows of the table.

extension SectionName {
  /// The keys in the order in which they are told.
  package var keys: [Key] {
    switch self {
    case .root: Rows.root
    case .listener: Rows.listener
    case .listenerTLS: Rows.listenerTLS
    case .admin: Rows.admin
    case .client: Rows.client
    case .limits: Rows.limits
    case .timeouts: Rows.timeouts
    case .cache: Rows.cache
    case .affinity: Rows.affinity
    case .log: Rows.log
    case .cors: Rows.cors
    case .provider: Rows.provider
    case .tls: Rows.tls
    case .batch: Rows.batch
    case .cost: Rows.cost
    case .spend: Rows.spend
    case .model: Rows.model
    case .edit: Rows.edit
    case .alias: Rows.alias
    case .canonicalModel: Rows.canonicalModel
    }
  }
}

private enum Rows {
  static let day = Interval.seconds(86400)
  static let wait = Key.Kind.duration(.milliseconds(1)...day)
  static let atOnce = Key.Kind.whole(1...100_000)
  static let context = Key.Kind.whole(1...100_000_000)
  static let price = Key.Kind.number(0...1e6)

  static let root: [Key] = [
    Key(
      "listen", .texts, .map(.listener), .list(.listener, or: .text), standard: "127.0.0.1:8080",
      about:
        "Where clients are listened for: host:port with an IP address, [v6]:port, a bare port (on 127.0.0.1), unix:/path, or fd://0 for a socket from systemd; with TLS a map; one or a list. An address that other machines reach needs clients."
    ),
    Key(
      "admin", .map(.admin), about: "The admin pages and the page for people at /. Without it they are off."),
    Key(
      "clients", .list(.client, or: .nothing),
      about: "Who may call. None listed: anyone who reaches a loopback or unix listener."),
    Key(
      "allow_anonymous", .flag, standard: "false",
      about: "Nobody is asked for a key, wherever the caller sits."),
    Key(
      "expose_headers", .flag, standard: "true",
      about: "Answers carry the X-Synaxis-… and Server-Timing headers."),
    Key("limits", .map(.limits), about: "Bounds of memory and of what runs at once."),
    Key("timeouts", .map(.timeouts), about: "How long things may take."),
    Key(
      "cache", .flag, .map(.cache), about: "The response cache and the sharing of calls; off turns both off."),
    Key(
      "affinity", .flag, .map(.affinity),
      about:
        "A conversation stays with the provider and key that answered it last, which have its prompt cached."
    ),
    Key("log", .map(.log), about: "The log on stderr."),
    Key("cors", .map(.cors), about: "Web pages that may call."),
    Key(
      "hosts", .texts, standard: "[]",
      about:
        "Public names that a Host header may carry on a loopback listener. Names that public DNS cannot hold always may."
    ),
    Key(
      "hedge", .duration(.milliseconds(100)...Interval.seconds(3600)), .choice(["off"]), standard: "off",
      about: "When no content has come by then, the next candidate is asked too. Both may be billed."),
    Key(
      "providers", .names(.provider, or: .nothing), about: "Upstream accounts, each under a name of yours."),
    Key(
      "aliases", .names(.alias, or: .texts),
      about:
        "Names of your own, each for a list of candidates: provider/model, or a model's name for all that have it."
    ),
  ]

  static let admin: [Key] = [
    Key("token", .text, about: "The bearer token of the admin pages."),
    Key(
      "token_file", .text,
      about: "A file that holds the token, from the tier file's directory unless it begins with /."),
    Key(
      "listen", .texts, .map(.listener), .list(.listener, or: .text),
      about: "Listeners of their own for the admin pages; on loopback and unix sockets they need no token."),
  ]

  static let client: [Key] = [
    Key("name", .text, about: "Its name in log and metrics."),
    Key("key", .text, about: "What it shows as a bearer token, x-api-key or api-key."),
    Key("key_file", .text, about: "A file that holds the key."),
    Key(
      "key_sha256", .text,
      about: "The key's SHA-256 in 64 hexadecimal digits instead of the key: printf %s KEY | sha256sum."),
    Key(
      "models", .texts,
      about: "Aliases and models that it may use, and what /v1/models shows it. Default: all."),
    Key("rpm", .quantity, about: "Requests a minute."),
    Key("concurrent", atOnce, about: "Requests at once."),
    Key("spend", .map(.spend), about: "The most that its answers may cost; then it gets 429."),
    Key("enabled", .flag, standard: "true", about: "false keeps the entry out without deleting it."),
  ]

  static let limits: [Key] = [
    Key(
      "concurrent_requests", atOnce, standard: "100",
      about:
        "Exchanges at once, and what /providers/ passes on; each takes two descriptors. No other number bounds them but connections."
    ),
    Key(
      "queue", .whole(0...1_000_000), standard: "100", about: "Requests that wait for one of those places."),
    Key("connections", .whole(1...1_000_000), standard: "512", about: "Clients' connections."),
    Key("request_body", .size(least: 1024, power: 32), standard: "32MiB", about: "One request's body."),
    Key("header", .size(least: 1024, power: 20), standard: "32KiB", about: "One request's head."),
    Key(
      "memory", .size(least: 1 << 20, power: 40), standard: "64MiB",
      about:
        "All bodies and buffers together, as far as they have come. A body that finds no room is not read until there is some, or gets 503 after 10 s."
    ),
  ]

  static let timeouts: [Key] = [
    Key(
      "failover", wait, standard: "80ms",
      about:
        "A host whose kernel does not answer within this, or twice its round trip and 40 ms, is passed over."),
    Key("connect", wait, standard: "5s", about: "To have a connection at all."),
    Key(
      "first_token", wait, standard: "60s",
      about: "What a provider that has taken the request is given to think."),
    Key(
      "stream_idle", wait, standard: "60s",
      about: "Silence within an answer that has begun. Comments do not count as content."),
    Key("request", wait, standard: "120s", about: "All attempts together, up to the first content."),
    Key(
      "drain", .duration(.zero...day), standard: "5m",
      about: "What exchanges are given to finish when synaxis stops."),
  ]

  static let cache: [Key] = [
    Key(
      "enabled", .flag, standard: "true",
      about: "Answers are stored, and identical requests answered from there."),
    Key(
      "sampled", .flag, standard: "false",
      about:
        "Also requests whose answers are drawn by lot, not only temperature 0, embeddings, moderations and rerank."
    ),
    Key(
      "ttl", .duration(.seconds(1)...Interval.seconds(30 * 86400)), standard: "5m",
      about: "How long an answer is good."),
    Key(
      "size", .size(least: 16 << 10, power: 36), standard: "8MiB", about: "All stored answers together."),
    Key(
      "vary", .texts, standard: "[authorization]",
      about:
        "Request headers that keep answers apart; authorization stands for who asks, in whichever header its key came. Without it answers are shared by all clients."
    ),
    Key("coalesce", .flag, standard: "true", about: "Identical requests in flight share one call."),
    Key(
      "replay", .choice(["at_once", "paced"]), standard: "at_once",
      about: "paced: a stored stream keeps its gaps."),
    Key(
      "max_temperature", .number(0...10),
      about: "With sampled: hotter requests are neither stored nor answered."),
  ]

  static let affinity: [Key] = [
    Key("enabled", .flag, standard: "true", about: "Conversations stay where they were answered last."),
    Key(
      "ttl", .duration(.seconds(1)...day), standard: "10m",
      about: "How long after its last turn. Providers keep a prompt for 5 to 60 min."),
    Key(
      "entries", .whole(16...1_000_000), standard: "4096",
      about:
        "Conversations that are known at a time, the one used longest ago out first; about 70 bytes each."),
  ]

  static let log: [Key] = [
    Key("format", .choice(["logfmt", "json"]), standard: "logfmt", about: "How a line is written."),
    Key(
      "level", .choice(["error", "warning", "warn", "info", "debug", "none"]), standard: "info",
      about: "The least that is logged."),
  ]

  static let cors: [Key] = [
    Key("origins", .texts, standard: "[]", about: "Web origins that may call, as https://host[:port].")
  ]

  static let provider: [Key] = [
    Key(
      "type", .word(Preset.all.map { $0.name }),
      about:
        "The preset: endpoint, how the key is shown, fields that the provider rejects, its rate-limit headers. Default: the provider's own name where a preset has it, else openai where there is an endpoint."
    ),
    Key(
      "endpoint", .text,
      about:
        "Instead of the preset's, with or without /chat/completions. A local server over a socket: http://unix:/run/llama.sock:/v1."
    ),
    Key(
      "key", .text,
      about: "The account's key. One written like an environment variable's name means that variable."),
    Key("keys", .texts, about: "Several keys that take turns, the least used first."),
    Key(
      "key_file", .texts,
      about: "Files that hold the keys, from the tier file's directory unless they begin with /."
    ),
    Key("account_id", .text, about: "For cloudflare."),
    Key("resource", .text, about: "For azure."),
    Key("tier", .whole(0...1000), standard: "0", about: "Lower is tried first."),
    Key("free", .flag, standard: "false", about: "It costs nothing; preferred among equally fast ones."),
    Key("cost", .map(.cost), about: "What it costs; decides between equally fast ones."),
    Key(
      "spend", .map(.spend),
      about:
        "The most that its answers may cost; then it is left alone. Needs cost. What /providers/ passes on is not counted."
    ),
    Key(
      "context", context,
      about: "Tokens of its context window; a prompt that was too long elsewhere goes to a larger one."),
    Key(
      "first_token", wait,
      about:
        "What it is given to think, instead of timeouts.first_token. ollama, llamacpp and lmstudio, which load a model first, have 5m at least."
    ),
    Key("stream_idle", wait, about: "Silence within its answers, likewise."),
    Key(
      "start_wait", .duration(.zero...day), standard: "60s",
      about:
        "How long a request with nowhere else to go waits for it to start: it says that it loads its model, or it is near and nobody listens there. 0: not at all."
    ),
    Key(
      "rpm", .quantity,
      about: "Budget that synaxis keeps for each key: requests a minute. At its limit a key is passed over."),
    Key("rpd", .quantity, about: "Requests a day."),
    Key("tpm", .quantity, about: "Tokens a minute."),
    Key("tpd", .quantity, about: "Tokens a day."),
    Key("concurrent", atOnce, about: "Exchanges at once."),
    Key(
      "models", .texts, .list(.model, or: .text), .names(.model, or: .text),
      about:
        "A list of names, or our name: their name, or our name: details. \"*\" passes on any name that nobody lists."
    ),
    Key("headers", .names(nil, or: .text), about: "Sent with each request."),
    Key(
      "edits", .list(.edit, or: .nothing),
      about: "Changes of a request's JSON, made after the preset's own, in order."),
    Key(
      "enabled", .flag, standard: "true",
      about: "false keeps the entry out without deleting it; its variables may be unset."),
    Key(
      "discover", .flag, standard: "false",
      about: "Its model list is asked for, at most hourly, and what it says is listed."),
    Key(
      "probe", .flag, standard: "false",
      about: "Its model list is asked for at the start and after a cooldown."),
    Key(
      "raw", .flag, standard: "false",
      about:
        "true: /providers/NAME/… is the provider's own API behind its endpoint, with its first key; for clients that `models` does not restrict."
    ),
    Key(
      "batch", .flag, .map(.batch), standard: "false",
      about:
        "Requests for embeddings that come at the same time are sent as one; each gets its own answer."),
    Key(
      "proxy", .text,
      about:
        "The proxy to reach it through: http://, socks4://, socks4a://, socks5:// or socks5h://."),
    Key(
      "tls", .map(.tls),
      about:
        "Of an https:// endpoint: whom to trust, and what to show. Files are read again when they change."),
    Key(
      "http", .choice(["auto", "1.1", "2"]), standard: "auto",
      about: "auto: HTTP/2 where the provider offers it."),
  ]

  static let listener: [Key] = [
    Key("address", .text, about: "As it stands where a listener is no map."),
    Key(
      "tls", .map(.listenerTLS),
      about: "Clients come over TLS. SIGHUP reads the files again; connections go on."),
  ]

  static let listenerTLS: [Key] = [
    Key("cert", .text, about: "The certificate, with those that sign it behind it, in PEM."),
    Key("key", .text, about: "Its key; default: in the same file."),
    Key(
      "client_ca", .text, about: "Only clients get in that show a certificate which one of these has signed."),
  ]

  static let tls: [Key] = [
    Key("ca_file", .text, about: "Authorities in PEM that are trusted instead of the system's."),
    Key(
      "server_name", .text,
      about: "The name that the certificate must have, where it is not the endpoint's host."),
    Key("cert", .text, about: "A certificate to show, in PEM."),
    Key("key", .text, about: "Its key; default: in the same file."),
    Key(
      "verify", .flag, standard: "true",
      about: "false checks nothing: whoever is on the way can read what is sent, the key too."),
  ]

  static let batch: [Key] = [
    Key("enabled", .flag, standard: "true", about: "false sends each alone."),
    Key(
      "window", .duration(.milliseconds(1)...Interval.seconds(10)), standard: "3ms",
      about:
        "How long the first one waits for others: the time that this may add to an answer."),
    Key(
      "size", .whole(2...2048), standard: "64",
      about: "Inputs of one request; when so many wait they are sent at once. OpenAI takes 2048."),
  ]

  static let cost: [Key] = [
    Key("input", price, standard: "0", about: "USD per million tokens of the prompt."),
    Key("output", price, standard: "0", about: "USD per million tokens of the answer."),
    Key(
      "cached_input", price,
      about: "USD per million tokens of the prompt that the provider had cached. Default: as input."),
  ]

  static let spend: [Key] = [
    Key(
      "day", .number(0.0001...1e6),
      about:
        "USD from midnight to midnight UTC, by the prices in cost. Counted in memory: a restart begins anew."
    )
  ]

  static let model: [Key] = [
    Key("name", .text, about: "Our name, where the models are a list."),
    Key("model", .text, about: "The provider's name. Default: ours."),
    Key("cost", .map(.cost), about: "Default: the provider's."),
    Key("context", context, about: "Default: the provider's."),
    Key(
      "cache", .flag,
      about: "false keeps this model's answers out of the cache. Default: as the cache section says."
    ),
    Key("coalesce", .flag, about: "Default: as the cache section says."),
    Key("enabled", .flag, standard: "true", about: "false keeps the entry out without deleting it."),
  ]

  static let edit: [Key] = [
    Key(
      "drop", .text,
      about: "A member to leave out; a path names members, [] steps into each element: messages[].name."),
    Key("rename", .text, about: "A member that gets the name in `to`."),
    Key("clamp", .text, about: "A number that is made no larger than `to`."),
    Key(
      "default", .text,
      about: "A member of the request itself that gets the value of `to` where it is missing."),
    Key("replace", .text, about: "A member that has the value of `value` and gets that of `with`."),
    Key(
      "to", .whole(0...Int(Int32.max)), .anything, about: "The new name, the largest number, or the value."),
    Key("unless", .anything, about: "A drop leaves this value."),
    Key("where", .anything, about: "A drop takes only this value."),
    Key("value", .anything, about: "What a replace looks for."),
    Key("with", .anything, about: "What a replace puts there."),
  ]

  static let canonicalModel: [Key] = [
    Key("Id", .text, about: "Our name of a model."),
    Key("Provider", .text, about: "Whose it is."),
    Key("ModelPath", .text, about: "The provider's name."),
    Key("Streaming", .anything, about: "Not needed here."),
    Key("Tools", .anything, about: "Not needed here."),
    Key("Vision", .anything, about: "Not needed here."),
    Key("StructuredOutput", .anything, about: "Not needed here."),
    Key("LogProbs", .anything, about: "Not needed here."),
  ]

  static let alias: [Key] = [
    Key(
      "candidates", .texts,
      about: "provider/model, by our name of the model or the provider's; or a model's name."),
    Key("cache", .flag, about: "Default: as the cache section says."),
    Key("coalesce", .flag, about: "Default: as the cache section says."),
    Key("enabled", .flag, standard: "true", about: "false keeps the entry out without deleting it."),
  ]
}

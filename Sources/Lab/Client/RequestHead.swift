package import Base

extension ByteBuffer {
  /// What follows the target of a request with a JSON body, up to and with the empty line.
  /// - Parameters:
  ///   - agent: the client's own name.
  ///   - key: the bearer token, where there is one.
  package mutating func append(
    headTo instance: Instance, agent: StaticString, accept: StaticString, key: String?, length: Int
  ) {
    append(" HTTP/1.1\r\nHost: ")
    append(instance.host)
    append("\r\nUser-Agent: ")
    append(agent)
    append("\r\nContent-Type: application/json\r\nAccept: ")
    append(accept)
    if let key {
      append("\r\nAuthorization: Bearer ")
      append(key)
    }
    append("\r\nContent-Length: ")
    append(decimal: length)
    append("\r\n\r\n")
  }
}

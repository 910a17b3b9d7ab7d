internal import Base
internal import Kernel
internal import Lab
internal import Transport

/// One request to a running instance, for the commands: it blocks, and has a deadline.
struct PageRequest {
  enum Fault: Error {
    case connect(ConnectFault)
    case silent
    case cut
    case notHTTP
  }

  struct Answer: ~Copyable {
    var status: Int
    var body: ByteBuffer
  }

  let instance: Instance
  /// Whom TLS is spoken to; nil: it is in the clear.
  let peer: TLSPeer?

  /// Asks for a page, or for what a page does (POST without a body).
  func ask(_ method: StaticString, _ path: String, token: String?) throws(Fault) -> Answer {
    let poller: Poller
    var client: HTTPClient
    do throws(KernelFault) {
      poller = try Poller()
      client = HTTPClient(
        to: try instance.address.resolved(), in: poller, kind: 0, slot: 0, peer: peer, keeps: true)
    } catch {
      throw .connect(.kernel(error))
    }
    let request = head(method, path, token)
    let deadline = Clock.instant() + Limits.pageTime
    let events = PolledEvents()
    var buffer = ByteBuffer()
    var step = client.start(request)
    while true {
      switch step {
      case .waiting:
        let left = deadline - Clock.instant()
        if left <= .zero { throw .silent }
        do throws(KernelFault) {
          try poller.wait(timeout: left, into: events)
        } catch {
          throw .connect(.kernel(error))
        }
        if events.count > 0 { step = client.take(events[0], request, into: &buffer) }
      case .more: step = client.receive(into: &buffer)
      case .complete: return Answer(status: client.answer.status, body: client.takeBody())
      case .unreachable(let fault): throw .connect(fault)
      case .cut: throw client.answer.isUntouched || client.answer.status > 0 ? .cut : .notHTTP
      }
    }
  }

  private func head(_ method: StaticString, _ path: String, _ token: String?) -> ByteBuffer {
    var head = ByteBuffer()
    head.append(method)
    head.append(
      " \(instance.prefix)\(path) HTTP/1.1\r\nHost: \(instance.host)\r\nUser-Agent: synaxis-status\r\n")
    head.append("Connection: close\r\n")
    if let token { head.append("Authorization: Bearer \(token)\r\n") }
    if method.utf8CodeUnitCount == 4 { head.append("Content-Length: 0\r\n") }
    head.append("\r\n")
    return head
  }
}

internal import Base
internal import Wire

/// `synaxis reset`: ends the cooldowns of one provider, or of all that are left alone.
struct ResetCommand {
  let options: StatusOptions

  func run() -> Int32 {
    let access: InstanceAccess
    do throws(InstanceAccess.Refusal) { access = try InstanceAccess(options) } catch { return error.exitCode }
    if let name = options.provider { return Self.reset(name, access) }
    do throws(PageRequest.Fault) {
      let answer = try access.request.ask("GET", "/admin/health", token: access.token)
      guard answer.status == 200, let report = answer.body.withBytes({ StatusReport($0) }) else {
        return InstanceAccess.complain(answer.status, of: "/admin/health", hasToken: access.token != nil)
      }
      let names = report.rows.filter { $0.state != "online" && $0.state != "disabled" }.map { $0.name }
      if names.isEmpty { Console.say("no provider is left alone\n") }
      for name in names {
        let code = Self.reset(name, access)
        if code != ExitCode.ok { return code }
      }
      return ExitCode.ok
    } catch {
      return InstanceAccess.complain(error)
    }
  }

  private static func reset(_ name: String, _ access: InstanceAccess) -> Int32 {
    var path = ByteBuffer()
    path.append("/admin/providers/")
    path.append(percentEncoded: name)
    path.append("/reset")
    do throws(PageRequest.Fault) {
      let answer = try access.request.ask("POST", path.withBytes { $0.text }, token: access.token)
      switch answer.status {
      case 200:
        Console.say("\(name): its cooldowns are ended\n")
        return ExitCode.ok
      case 404:
        Console.complain("synaxis: the instance has no provider `\(name)`; `synaxis status` lists them\n")
        return ExitCode.failed
      default:
        return InstanceAccess.complain(
          answer.status, of: path.withBytes { $0.text }, hasToken: access.token != nil)
      }
    } catch {
      return InstanceAccess.complain(error)
    }
  }
}

extension ByteBuffer {
  /// A path's segment: all but unreserved characters is escaped (RFC 3986 §2.3).
  fileprivate mutating func append(percentEncoded text: String) {
    for byte in text.utf8 {
      let isPlain =
        byte.asciiLowercased &- 97 < 26 || byte.isDigit || byte == UInt8(ascii: "-")
        || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "~")
      if isPlain {
        append(byte)
      } else {
        append(UInt8(ascii: "%"))
        append(hex: UInt64(byte), digits: 2)
      }
    }
  }
}

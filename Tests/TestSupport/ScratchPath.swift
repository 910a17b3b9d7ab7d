internal import Glibc

/// A path that is this test's alone, for a socket or a file.
package func scratchPath(_ name: String) -> String {
  "/tmp/synaxis-\(name)-\(getpid())-\(UInt32.random(in: 0 ... .max))"
}

internal import CLinux
internal import Transport

// Before anything else: a certificate may be read with the tier file.
Transport.useSlabs()
exit(Command().run())

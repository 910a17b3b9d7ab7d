internal import CLinux

exit(Command().run())

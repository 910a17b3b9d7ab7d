internal import CLinux

exit(Command(CommandLine.arguments).run())

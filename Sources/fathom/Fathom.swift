import ArgumentParser
import Glibc

/// The program: its subcommands and what their exit codes mean.
@main
struct Fathom: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fathom",
        abstract: "Runs DeepSeek-V3-family models on any Vulkan device.",
        discussion: """
            stdout carries the answer and nothing else; progress and notes go to stderr. \
            Without --model, the built-in model answers.

            Exit codes: 0 done; 1 it failed, and stderr says what, what was expected and what to do; \
            64 wrong usage; 130 interrupted (Ctrl-C stops the work; a second one ends the program).
            """,
        subcommands: [
            ChatCommand.self, GenerateCommand.self, TokenizeCommand.self, LogitsCommand.self, DevicesCommand.self,
            SelfTestCommand.self, BenchCommand.self,
        ])

    static func main() {
        // A parent may ignore or block these, as service managers and thread pools do. Here a reader that goes away ends
        // the program without a word, and Ctrl-C ends it wherever a command does not take it over.
        signal(SIGPIPE, SIG_DFL)
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        sigaddset(&signals, SIGINT)
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        // A closed stream's number would be given to the next file that is opened, and what is said would go there.
        for descriptor: Int32 in 0...2 where fcntl(descriptor, F_GETFD) < 0 { _ = open("/dev/null", O_RDWR) }
        main(nil)
    }
}

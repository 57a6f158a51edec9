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

            Pipelines that a device's driver compiles are kept in $XDG_CACHE_HOME/fathom, or ~/.cache/fathom; the folder may \
            be removed at any time.

            Exit codes: 0 done; 1 it failed, and stderr says what, what was expected and what to do; \
            64 wrong usage; 130 interrupted (Ctrl-C stops the work; a second one ends the program).
            """,
        version: "fathom, " + (BuildInfo.commit.map { "commit \($0)" } ?? "built outside a checkout"),
        subcommands: [
            ChatCommand.self, GenerateCommand.self, TokenizeCommand.self, LogitsCommand.self, PerplexityCommand.self,
            InspectCommand.self, VerifyCommand.self, ConvertCommand.self, DevicesCommand.self, SelfTestCommand.self,
            BenchCommand.self, TuneCommand.self, ProfileCommand.self, ReportCommand.self,
        ])

    static func main() {
        // A parent may ignore or block these signals, as service managers and thread pools do. Here a closed pipe ends the
        // program silently, and Ctrl-C ends it wherever a command does not take it over.
        signal(SIGPIPE, SIG_DFL)
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        sigaddset(&signals, SIGINT)
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        occupyStandardDescriptors()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            exit(withError: ErrorAdvice.shown(error))
        }
    }

    /// If standard input, output or error is closed, the next file opened would get its number: a model would be read as
    /// messages, or a driver's cache overwritten. /dev/null takes the number instead: reading 0 and writing 1 fail, and
    /// notes to 2 are discarded.
    private static func occupyStandardDescriptors() {
        for (descriptor, mode) in [(Int32(0), O_WRONLY), (1, O_RDONLY), (2, O_WRONLY)] {
            // Descriptors are given out in ascending order: this one is the lowest that is free.
            if fcntl(descriptor, F_GETFD) < 0 { _ = open("/dev/null", mode) }
        }
    }
}

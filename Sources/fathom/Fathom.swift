import ArgumentParser
import Glibc
import Numerics
import Terminal

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
        raiseFileLimit()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            end(ErrorAdvice.shown(error))
        }
    }

    /// Ends the program as the argument parser does: help goes to stdout with exit code 0, an error to stderr with its code. Errors
    /// of usage quote arguments; their control characters, line breaks included, are made visible.
    private static func end(_ error: any Error) -> Never {
        let code = exitCode(for: error)
        var text = fullMessage(for: error)
        for argument in CommandLine.arguments.dropFirst() {
            // A value may follow the option's name after an equals sign.
            for part in [argument] + argument.split(separator: "=", maxSplits: 1).dropFirst().map(String.init)
            where part != part.printable {
                text = text.replacing(part, with: part.printable)
            }
        }
        if !text.isEmpty {
            do throws(TerminalError) { try (code.isSuccess ? Output.standard : .error).print(text + "\n") } catch {
                exit(withError: code.isSuccess ? ExitCode.failure : code)
            }
        }
        exit(withError: code)
    }

    /// Raises the limit of open files to the largest that the system allows: all files of a checkpoint are open at the same time.
    private static func raiseFileLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        // If this fails, the old limit holds, and opening a file beyond it is an error that names it.
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
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

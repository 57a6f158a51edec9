import ArgumentParser
import Engine
import JSON
import Numerics
import Terminal
import Text

/// Answers one prompt, or a file of them.
struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Answers a prompt, or a file of prompts as one batch.",
        discussion: """
            The prompt is one message of a conversation, laid out by the model's chat template; with --raw the model continues \
            the text as it stands. It is PROMPT, the content of --file, or standard input; one line end at its end does not count.

              fathom generate "What is the capital of France?"
              fathom generate --raw --temperature 0.7 "Once upon a time"
              fathom generate --model DIR --prompt-tokens 0,128803,6366,128804
              fathom generate --json --input-file prompts.txt > answers.jsonl

            With --json the answer is one object: text, ids, finish_reason (stop, stop_string, length, interrupted, context_full), \
            prompt_tokens, cached_tokens and timings.
            """)

    @OptionGroup(title: "Model") var modelOptions: ModelOptions
    @OptionGroup(title: "Sampling") var sampling: SamplingFlags
    @OptionGroup(title: "Template") var templateFlags: TemplateFlags

    @Option(help: ArgumentHelp("Read the prompt from a file.", valueName: "file"))
    var file: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The prompt as token ids, as in 1,2,3, nothing added. Needs no tokenizer: the answer then is ids.",
            valueName: "ids"),
        transform: TokenList.parse)
    var promptTokens: [Int32]?

    @Option(
        help: ArgumentHelp(
            "Answer each line of a file, all in one batch; answers come in the lines' order, with --json an object a line. --max-new-tokens is then \(GenerateCommand.batchAnswerLength) unless given.",
            valueName: "file"))
    var inputFile: String?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Most prompts of --input-file that run at once.", valueName: "n"))
    var batch = 16

    @Option(help: ArgumentHelp("A system message before the prompt.", valueName: "text"))
    var system: String?

    @Flag(help: "Continue the text as it stands, without a chat template.")
    var raw = false

    @Flag(help: "Print a JSON object.")
    var json = false

    @Argument(help: ArgumentHelp("The prompt.", valueName: "prompt"))
    var prompt: String?

    /// A batch shares the cache: without a limit each answer would reserve a whole context.
    static let batchAnswerLength = 512

    mutating func validate() throws {
        let given = [
            prompt.map { _ in "a prompt" }, file.map { _ in "--file" }, promptTokens.map { _ in "--prompt-tokens" },
            inputFile.map { _ in "--input-file" },
        ]
        .compactMap { $0 }
        guard given.count < 2 else {
            throw ValidationError("expected one source of the prompt, found \(given.joined(separator: " and "))")
        }
        guard batch >= 1 else { throw ValidationError("--batch: expected 1 or more, found \(batch)") }
        let laidOut = [
            system.map { _ in "--system" }, templateFlags.template.map { _ in "--template" },
            templateFlags.thinking ? "--thinking" : nil,
        ]
        if let flag = laidOut.compactMap({ $0 }).first, raw || promptTokens != nil {
            throw ValidationError("\(flag) needs a chat template: expected it without --raw and --prompt-tokens")
        }
        guard !given.isEmpty || !Surroundings.current().inputIsTerminal else {
            throw ValidationError("expected a prompt: as an argument, by --file or on standard input")
        }
    }

    func run() throws {
        // Input first: a wrong path should not cost a model's load, and Ctrl-C still ends a blocked read.
        let input = try PromptInput(self)
        Interrupt.install()
        let opened = try modelOptions.open(needsText: promptTokens == nil)
        switch input {
        case .one(let text): try answer(encode(text, for: opened), opened)
        case .tokens(let ids): try answer(ids, opened)
        case .many(let lines, let name):
            var prompts: [[Int32]] = []
            for (index, line) in lines.enumerated() {
                do { prompts.append(try encode(line, for: opened)) } catch {
                    throw CommandError("\(name), line \(index + 1): \(ErrorAdvice.line(error))")
                }
            }
            try answerBatch(prompts, name: name, opened)
        }
        if Interrupt.isRequested { throw ExitCode.interrupted }
    }

    private func encode(_ text: String, for opened: OpenedModel) throws -> [Int32] {
        guard !text.isEmpty else { throw GenerationError.emptyPrompt }
        let modelText = opened.text!
        if raw { return try modelText.encode(raw: text) }
        let messages =
            (system.map { [Message(role: .system, content: $0)] } ?? []) + [Message(role: .user, content: text)]
        do {
            return try templateFlags.choose(for: modelText).encode(
                messages: messages, addGenerationPrompt: true, thinking: templateFlags.thinking,
                tokenizer: modelText.tokenizer)
        } catch TextError.unknownTemplate(let found) {
            throw CommandError(
                "the model's chat template: \(TextError.unknownTemplate(found: found)) with --template, or continue plain text with --raw"
            )
        }
    }

    // MARK: One prompt

    private func answer(_ prompt: [Int32], _ opened: OpenedModel) throws {
        let session = try Session(model: opened.model)
        var printer = AnswerPrinter(isJSON: json, showsIDs: opened.text == nil)
        let completion = try session.generate(
            prompt, options: sampling.options(stopTokens: opened.stopTokens), text: opened.tokenText,
            isInterrupted: { Interrupt.isRequested || printer.failure != nil }, onEvent: { printer.show($0) })
        try printer.finish()
        if json {
            try Output.standard.write(completion.json(hasText: opened.text != nil).serialized() + "\n")
        }
        try noteEnd(completion.summary)
    }

    /// Notes on stderr that the answer was cut short, and at a terminal how fast it came.
    private func noteEnd(_ summary: GenerationSummary) throws {
        switch summary.finishReason {
        case .length: try note("the answer ends at --max-new-tokens \(summary.generatedTokenCount)")
        case .contextFull:
            try note(
                "the answer ends because the context is full: \(summary.promptTokenCount) tokens of prompt and \(summary.generatedTokenCount) of answer; --context sets it"
            )
        case .interrupted: try note("interrupted after \(summary.generatedTokenCount) tokens")
        case .stop, .stopString: break
        }
        if Surroundings.current().errorIsTerminal { try note(summary.text) }
    }

    // MARK: A batch

    private func answerBatch(_ prompts: [[Int32]], name: String, _ opened: OpenedModel) throws {
        var options = sampling.options(stopTokens: opened.stopTokens)
        options.maxNewTokens = options.maxNewTokens ?? Self.batchAnswerLength
        let requests = prompts.map { BatchRequest(prompt: $0, options: options, text: opened.tokenText) }
        var failure: (any Error)?
        let start = ContinuousClock.now
        var tokenCount = 0
        do throws(GenerationError) {
            try BatchScheduler(maximumBatch: batch).run(
                requests, on: opened.model, isInterrupted: { Interrupt.isRequested || failure != nil }
            ) { _, completion in
                tokenCount += completion.tokens.count
                let line = json ? completion.json(hasText: true).serialized() : shown(completion.text)
                do { try Output.standard.write(line + "\n") } catch { failure = failure ?? error }
            }
        } catch {
            guard case .request(let index, let reason) = error else { throw error }
            throw CommandError("\(name), line \(index + 1): \(ErrorAdvice.line(reason))")
        }
        if let failure { throw failure }
        if Surroundings.current().errorIsTerminal {
            let seconds = (ContinuousClock.now - start).seconds
            try note(
                "\(prompts.count) answers, \(tokenCount) tokens in \(fixed(seconds, 2)) s: \(fixed(Double(tokenCount) / seconds, 1)) tokens/s"
            )
        }
    }
}

/// Where the prompt comes from.
private enum PromptInput {
    case one(String)
    case tokens([Int32])
    case many([String], name: String)

    init(_ command: GenerateCommand) throws {
        if let ids = command.promptTokens {
            self = .tokens(ids)
        } else if let path = command.inputFile {
            let lines = try Input.lines(Input.file(path)).enumerated().map { index, line in
                try Input.text(Array(line), name: "\(path), line \(index + 1)")
            }
            guard !lines.isEmpty else { throw CommandError("\(path): expected a prompt a line, found an empty file") }
            self = .many(lines, name: path)
        } else if let path = command.file {
            self = .one(try Input.text(Input.file(path), name: path))
        } else if let prompt = command.prompt {
            self = .one(prompt)
        } else {
            self = .one(try Input.text(Input.standard(), name: "standard input"))
        }
    }
}

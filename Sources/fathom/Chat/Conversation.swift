import Glibc
import JSON
import Terminal
import Text

/// The messages of a chat, and their file.
struct Conversation {
    var system: String?
    var turns: [Message] = []

    var messages: [Message] { (system.map { [Message(role: .system, content: $0)] } ?? []) + turns }

    /// The messages as JSON, put in place whole: after a failure the old file is as it was.
    func save(to path: String) throws {
        let document = JSONValue.object([
            JSONMember("system", system.map { JSONValue($0) } ?? .null),
            JSONMember(
                "messages",
                .array(
                    turns.map {
                        .object([
                            JSONMember("role", JSONValue($0.role.rawValue)),
                            JSONMember("content", JSONValue($0.content)),
                        ])
                    })),
        ])
        let temporary = "\(path).\(getpid()).part"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard descriptor >= 0 else {
            throw CommandError("\(path): expected a place to write, found: \(errorText(errno))")
        }
        do {
            try Output(descriptor: descriptor).write(document.serialized(pretty: true) + "\n")
            guard fsync(descriptor) == 0 else {
                throw CommandError("\(path): expected to store it, found: \(errorText(errno))")
            }
        } catch {
            close(descriptor)
            unlink(temporary)
            throw CommandError("\(path): not saved, and what was there is unchanged: \(error)")
        }
        close(descriptor)
        guard rename(temporary, path) == 0 else {
            let code = errno
            unlink(temporary)
            throw CommandError("\(path): not saved, and what was there is unchanged: \(errorText(code))")
        }
    }

    static func load(from path: String) throws -> Conversation {
        let field = try JSONField(parsing: try Input.file(path), name: path)
        var conversation = Conversation()
        conversation.system = try field["system"].present?.string()
        for entry in try field["messages"].array() {
            let role = entry
            guard let known = Message.Role(rawValue: try role["role"].string()), known != .system else {
                throw try role["role"].error(expected: "user or assistant")
            }
            conversation.turns.append(Message(role: known, content: try entry["content"].string()))
        }
        return conversation
    }
}

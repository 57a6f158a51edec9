import Glibc
import JSON
import Text

/// A conversation as JSON: `{"format": "fathom-chat", "version": 1, "model": …, "system": …, "messages": [{"role": …, "content": …}]}`.
enum ConversationFile {
    private static let format = "fathom-chat"
    private static let version = 1

    /// Replaces the file as a whole; after a failure the old content remains. Refuses to replace a file that is not a
    /// conversation: a typing mistake should not destroy a document.
    static func save(_ conversation: Conversation, model: String, to path: String) throws(CommandError) {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 {
            do { _ = try load(from: path) } catch {
                throw CommandError(
                    "\(path): expected a new file or a saved conversation, found something else, which is as it was")
            }
        }
        let messages = conversation.turns.map { message in
            JSONValue.object([
                JSONMember("role", JSONValue(message.role.rawValue)), JSONMember("content", JSONValue(message.content)),
            ])
        }
        let document = JSONValue.object([
            JSONMember("format", JSONValue(format)),
            JSONMember("version", JSONValue(version)),
            JSONMember("model", JSONValue(model)),
            JSONMember("system", conversation.system.map { JSONValue($0) } ?? .null),
            JSONMember("messages", .array(messages)),
        ])
        try AtomicFile.write(document.serialized(pretty: true) + "\n", to: path)
    }

    /// Reads what `save` wrote, or anything with `messages` of the same kind.
    ///
    /// - Throws: what is wrong, naming the file and the field.
    static func load(from path: String) throws(CommandError) -> Conversation {
        var status = stat()
        // Reading a pipe could wait forever, and a device may never end.
        if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            throw CommandError("\(path): expected a file, found \(fileKind(status))")
        }
        let bytes = try Input.file(path)
        do throws(JSONError) { return try conversation(JSONField(parsing: bytes, name: path)) } catch {
            throw CommandError("\(error): /load takes what /save writes")
        }
    }

    private static func conversation(_ document: JSONField) throws(JSONError) -> Conversation {
        if let found = try document["format"].present, try found.string() != format {
            throw found.error(expected: "\"\(format)\"")
        }
        if let found = try document["version"].present, try found.int() != version {
            throw found.error(expected: "\(version), the version that this program writes")
        }
        var conversation = Conversation(system: try document["system"].present?.string())
        for (index, message) in try document["messages"].array().enumerated() {
            let role = try message["role"]
            let content = try message["content"].string()
            switch Message.Role(rawValue: try role.string()) {
            case .system? where index == 0 && conversation.system == nil: conversation.system = content
            case .user?: conversation.append(.user, content)
            case .assistant?: conversation.append(.assistant, content)
            default: throw role.error(expected: "\"user\" or \"assistant\"")
            }
        }
        return conversation
    }
}

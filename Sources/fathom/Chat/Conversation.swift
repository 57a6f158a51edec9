import Text

/// The messages of a chat. Messages that no longer fit the context stay here and in the file, but are not sent.
struct Conversation: Equatable {
    /// The system message.
    var system: String?
    /// User's and assistant's messages in turn.
    private(set) var turns: [Message] = []
    /// Messages before this one are no longer sent.
    private(set) var firstSent = 0

    init(system: String? = nil, turns: [Message] = []) {
        self.system = system
        self.turns = turns
    }

    /// The messages that are sent to the model.
    var sent: [Message] { (system.map { [Message(role: .system, content: $0)] } ?? []) + turns[firstSent...] }

    mutating func append(_ role: Message.Role, _ content: String) {
        turns.append(Message(role: role, content: content))
    }

    /// Forgets the messages, not the system message.
    mutating func clear() { self = Conversation(system: system) }

    /// Removes the last message if it is the assistant's, for another try.
    mutating func removeAnswer() {
        if turns.last?.role == .assistant { turns.removeLast() }
        firstSent = min(firstSent, max(turns.count - 1, 0))
    }

    /// Stops sending the oldest turn: a user's message with all that follows until the user's next.
    ///
    /// - Returns: how many messages that are; 0 if only the last turn is left.
    mutating func dropOldestTurn() -> Int {
        let next = turns.indices.first { $0 > firstSent && turns[$0].role == .user }
        guard let next else { return 0 }
        defer { firstSent = next }
        return next - firstSent
    }
}

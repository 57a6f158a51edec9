import Glibc

/// A lock whose holders can wait for a change.
final class ConditionLock: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func lock() { pthread_mutex_lock(mutex) }
    /// - Parameter waking: something changed; who waits looks again.
    func unlock(waking: Bool = false) {
        pthread_mutex_unlock(mutex)
        if waking { pthread_cond_broadcast(condition) }
    }
    /// Gives the lock up until something may have changed. Only while it is held.
    func wait() { pthread_cond_wait(condition, mutex) }

    /// Changes something, and wakes who waits.
    func locked<R>(_ body: () -> R) -> R {
        lock()
        defer { unlock(waking: true) }
        return body()
    }
}

import Glibc

/// A mutex with a condition: whoever holds it can wait for another holder's change.
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
    /// - Parameter waking: wakes every waiting thread, which then checks its condition again.
    func unlock(waking: Bool = false) {
        pthread_mutex_unlock(mutex)
        if waking { pthread_cond_broadcast(condition) }
    }
    /// Releases the lock until another thread wakes this one, then takes it again. The caller must hold it.
    func wait() { pthread_cond_wait(condition, mutex) }

    /// Runs `body` under the lock, then wakes every waiting thread.
    func locked<R>(_ body: () -> R) -> R {
        lock()
        defer { unlock(waking: true) }
        return body()
    }
}

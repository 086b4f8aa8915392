// The Promise of WeChat on iOS up to 15: a polyfill on `setTimeout`. What is built on it must not count on
// callbacks that run before the next turn, nor on their order among timers and socket events.

/** Runs in the package's context; its value is the constructor. */
export const TIMER_PROMISE = `(function (setTimeout) {
  function TimerPromise(run) {
    this.state = 0
    this.value = undefined
    this.waiting = []
    var self = this
    var done = false
    var reject = once(function (reason) { settle(self, 2, reason) })
    try {
      run(once(function (value) { resolve(self, value) }), reject)
    } catch (error) {
      reject(error)
    }
    function once(act) {
      return function (value) { if (!done) { done = true; act(value) } }
    }
  }
  function resolve(promise, value) {
    var then
    try {
      if (value === promise) throw new TypeError('a promise cannot wait for itself')
      then = value !== null && (typeof value === 'object' || typeof value === 'function') ? value.then : undefined
    } catch (error) {
      return settle(promise, 2, error)
    }
    if (typeof then !== 'function') return settle(promise, 1, value)
    new TimerPromise(function (yes, no) { then.call(value, yes, no) }).then(
      function (inner) { settle(promise, 1, inner) },
      function (reason) { settle(promise, 2, reason) })
  }
  function settle(promise, state, value) {
    promise.state = state
    promise.value = value
    promise.waiting.splice(0).forEach(function (run) { setTimeout(run, 0) })
  }
  TimerPromise.prototype.then = function (kept, broken) {
    var self = this
    return new TimerPromise(function (yes, no) {
      function run() {
        var handler = self.state === 1 ? kept : broken
        if (typeof handler !== 'function') return self.state === 1 ? yes(self.value) : no(self.value)
        try { yes(handler(self.value)) } catch (error) { no(error) }
      }
      if (self.state === 0) self.waiting.push(run)
      else setTimeout(run, 0)
    })
  }
  TimerPromise.prototype['catch'] = function (broken) { return this.then(undefined, broken) }
  TimerPromise.resolve = function (value) { return new TimerPromise(function (yes) { yes(value) }) }
  TimerPromise.reject = function (reason) { return new TimerPromise(function (yes, no) { no(reason) }) }
  TimerPromise.all = function (list) {
    return new TimerPromise(function (yes, no) {
      var left = list.length
      var values = []
      if (left === 0) yes(values)
      list.forEach(function (one, at) {
        TimerPromise.resolve(one).then(function (value) { values[at] = value; if (--left === 0) yes(values) }, no)
      })
    })
  }
  return TimerPromise
})`

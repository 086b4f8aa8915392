// A process of its own: nothing was provided here.
import test from 'node:test'
import assert from 'node:assert/strict'
import { useHeartline } from 'heartline/vue'

test('useHeartline without a provided client says what to do', () => {
  assert.throws(() => useHeartline(), /call provideHeartline/)
})

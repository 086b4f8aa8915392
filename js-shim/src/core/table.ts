/** The payloads that the core knows by number only. A number is used again once its payload was taken. */

export class PayloadTable {
  private values: unknown[] = [undefined]
  private free: number[] = []

  add(value: unknown): number {
    const ref = this.free.length ? (this.free.pop() as number) : this.values.length
    this.values[ref] = value
    return ref
  }

  get(ref: number): any {
    return this.values[ref]
  }

  /** Hands the payload over and forgets it. */
  take(ref: number): any {
    const value = this.values[ref]
    this.values[ref] = undefined
    this.free.push(ref)
    return value
  }

  /** How many payloads are kept. */
  get size(): number {
    return this.values.length - 1 - this.free.length
  }
}

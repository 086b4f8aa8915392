// Pages without layout: the stack, the life cycle, and an instance with data and handlers for each page and for
// the components that stand in its template unconditionally.

import { readFileSync } from 'node:fs'
import path from 'node:path'

export class Pages {
  constructor(program) {
    this.program = program
    this.stack = []
    this.tabs = new Map()
  }

  get current() {
    return this.stack[this.stack.length - 1]
  }

  /** Whether the page that is shown is one of the tab bar. */
  onTabBar() {
    return this.current !== undefined && this.isTab(this.current.route)
  }

  isTab(route) {
    return (this.program.manifest.tabBar?.list || []).some((tab) => tab.pagePath === route)
  }

  reLaunch(url) {
    for (const page of new Set([...this.stack, ...this.tabs.values()])) this.close(page)
    this.stack = []
    this.tabs.clear()
    this.enter(url)
  }

  redirectTo(url) {
    this.close(this.stack.pop())
    this.enter(url)
  }

  navigateTo(url) {
    this.run(this.current, 'onHide')
    this.enter(url)
  }

  switchTab(url) {
    while (this.stack.length > 0) {
      const page = this.stack.pop()
      if (this.isTab(page.route)) this.run(page, 'onHide')
      else this.close(page)
    }
    this.enter(url)
  }

  enter(url) {
    const [route, search = ''] = url.replace(/^\//, '').split('?')
    const kept = this.tabs.get(route)
    const page = kept || this.open(route, search)
    if (this.isTab(route)) this.tabs.set(route, page)
    this.stack.push(page)
    if (!kept) this.run(page, 'onLoad', page.query)
    this.run(page, 'onShow')
    if (!kept) for (const one of [...page.children, page]) this.life(one, 'ready')
  }

  open(route, search) {
    const page = this.instance(route, { route, __route__: route })
    // Values stay encoded, as WeChat leaves them.
    page.query = this.program.toGuest(Object.fromEntries(search.split('&').filter(Boolean).map((pair) => pair.split('='))))
    this.life(page, 'created')
    this.life(page, 'attached')
    for (const { tag, at } of componentsOf(this.program.folder, route)) {
      for (const [element] of page.template.matchAll(new RegExp(`<${tag}\\s[^>]*>`, 'g'))) {
        const child = this.instance(at, {}, { uI: attribute(element, 'u-i') })
        child.triggerEvent = (name, detail) => name === '__l' && page.__l({ detail })
        page.children.push(child)
        this.life(child, 'created')
        this.life(child, 'attached')
      }
    }
    return page
  }

  close(page) {
    if (!page) return
    this.run(page, 'onUnload')
    for (const one of [...page.children, page]) this.life(one, 'detached')
  }

  instance(at, more, properties = {}) {
    this.program.require(`${at}.js`)
    const options = this.program.components.get(`${at}.js`)
    if (!options) throw new Error(`${at}.js registered no page or component`)
    const instance = {
      is: at,
      options,
      children: [],
      template: readFileSync(path.join(this.program.folder, `${at}.wxml`), 'utf8'),
      data: { ...options.data },
      properties,
      setData(change, done) {
        for (const [key, value] of Object.entries(change)) assign(this.data, key, JSON.parse(JSON.stringify(value ?? null)))
        done?.()
      },
      triggerEvent() {},
      selectComponent: () => null,
      selectAllComponents: () => [],
      ...more,
      ...options.methods,
    }
    return instance
  }

  life(instance, name) {
    const { options } = instance
    const hook = options.lifetimes?.[name] || options[name]
    if (hook) this.program.runtime.call(() => hook.call(instance))
  }

  run(page, name, argument) {
    const hook = page?.[name]
    if (hook) this.program.runtime.call(() => hook.call(page, argument))
  }

  /** Everything that the page that is shown, and its components, have as data. */
  text() {
    return JSON.stringify([this.current, ...this.current.children].map((one) => one.data))
  }

  /** Fires `event` on the element with this test id. */
  fire(id, event, detail = {}) {
    const page = this.current
    const element = [...page.template.matchAll(/<[\w-]+\s[^>]*>/g)].map(([tag]) => tag).find((tag) => attribute(tag, 'data-testid') === id)
    if (!element) throw new Error(`${page.route} has no element ${id}`)
    const handler = page.data[attribute(element, `bind${event}`).replace(/[{}]/g, '')]
    const target = { dataset: {}, id: '' }
    const news = this.program.toGuest({ type: event, detail, timeStamp: Date.now(), target, currentTarget: target })
    this.program.runtime.call(() => page[handler](news))
  }
}

/** The components that a page names in its own .json and in app.json. */
function componentsOf(folder, route) {
  const { usingComponents = {} } = JSON.parse(readFileSync(path.join(folder, `${route}.json`), 'utf8'))
  return Object.entries(usingComponents).map(([tag, at]) => ({ tag, at: at.startsWith('/') ? at.slice(1) : path.join(path.dirname(route), at) }))
}

function attribute(element, name) {
  return new RegExp(`\\s${name}="([^"]*)"`).exec(element)?.[1] ?? ''
}

/** `setData` takes paths such as `list[0].name`. */
function assign(data, key, value) {
  const steps = key.replace(/\[(\d+)\]/g, '.$1').split('.')
  const last = steps.pop()
  let at = data
  for (const step of steps) at = at[step] ??= {}
  at[last] = value
}

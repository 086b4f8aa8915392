// Phones: pages of a real, headless Chromium, each with its own storage, as each phone has.

import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { chromium } from 'playwright-core'
import { ARTIFACTS, chromiumBinary } from './places.js'

/** How long anything may take to appear. Generous: a busy machine must not make a test red. */
export const APPEARS_WITHIN_MS = 30_000

export class Phones {
  static async start() {
    const phones = new Phones()
    phones.browser = await chromium.launch({
      executablePath: chromiumBinary(),
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-component-update', '--disable-sync'],
    })
    return phones
  }

  /** A new phone on `url`, or a screen of another size. Whatever its page throws is kept in `phone.problems`. */
  async open(url, viewport = { width: 390, height: 760 }) {
    const context = await this.browser.newContext({ viewport, deviceScaleFactor: 2, locale: 'zh-CN' })
    const page = await context.newPage()
    page.setDefaultTimeout(APPEARS_WITHIN_MS)
    const phone = new Phone(page)
    page.on('pageerror', (error) => phone.problems.push(String(error)))
    await page.goto(url)
    return phone
  }

  /** The page of a phone is closed without a word, and opened again: its storage is as it was. */
  async reopen({ page }, url) {
    const context = page.context()
    await page.close()
    const next = await context.newPage()
    next.setDefaultTimeout(APPEARS_WITHIN_MS)
    const phone = new Phone(next)
    next.on('pageerror', (error) => phone.problems.push(String(error)))
    await next.goto(url)
    return phone
  }

  async stop() {
    await this.browser.close()
  }
}

export class Phone {
  constructor(page) {
    this.page = page
    this.problems = []
  }

  /** What carries this test id on the page that is shown. */
  at(id) {
    return this.page.getByTestId(id).filter({ visible: true }).first()
  }

  /** Waits until `text` stands on the page that is shown. */
  async sees(text) {
    await this.page.getByText(text, { exact: false }).filter({ visible: true }).first().waitFor()
  }

  /** Waits until the line says `text`. */
  async lineSays(text) {
    await this.at('line-text').filter({ hasText: text }).waitFor()
  }

  async type(id, text) {
    await this.at(id).locator('input').fill(text)
  }

  async tap(id) {
    await this.at(id).click()
  }

  /** Taps a page of the tab bar. */
  async tab(name) {
    await this.page.locator('.uni-tabbar__item').filter({ hasText: name }).click()
  }

  /** Waits until the tab bar's badge shows `text`. */
  async badgeShows(text) {
    await this.page.locator('.uni-tabbar__badge, .uni-tabbar__reddot').filter({ hasText: text }).first().waitFor()
  }

  /** Keeps a picture in `artifacts/`. */
  async picture(name) {
    await mkdir(ARTIFACTS, { recursive: true })
    await this.page.screenshot({ path: path.join(ARTIFACTS, `${name}.png`) })
  }
}

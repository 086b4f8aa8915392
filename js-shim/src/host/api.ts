/** The part of `uni`, `wx`, `my`, `tt` … that Heartline uses. All but `connectSocket` may be missing. */

type Callback = (event?: any) => void

export interface MiniApi {
  connectSocket(options: any): unknown
  onSocketOpen?(listener: Callback): void
  onSocketMessage?(listener: Callback): void
  onSocketError?(listener: Callback): void
  onSocketClose?(listener: Callback): void
  sendSocketMessage?(options: any): unknown
  closeSocket?(options?: any): unknown
  getNetworkType?(options: any): unknown
  onNetworkStatusChange?(listener: Callback): void
  offNetworkStatusChange?(listener?: Callback): void
  onAppShow?(listener: Callback): void
  offAppShow?(listener?: Callback): void
  onAppHide?(listener: Callback): void
  offAppHide?(listener?: Callback): void
  getStorageSync?(key: any): any
  setStorageSync?(key: any, data?: any): void
  showToast?(options: any): unknown
}

import 'heartline'
import 'heartline/compat'
import 'heartline/testing'
import { createHeartline } from 'heartline'
import { UniSocketPromise } from 'heartline/compat'
export const answer = 42

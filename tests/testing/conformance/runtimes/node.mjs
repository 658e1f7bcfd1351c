// A worker.md runtime in Node: node node.mjs SPEC INPUT LEDGER TASK [--envelope] [--max-attempts N] [--run-id ID].
// It keeps every answer as a file of LEDGER, and knows the keywords of JSON Schema that most contracts use.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [spec, inputPath, ledger, task, ...flags] = process.argv.slice(2)
const option = (name) => (flags.includes(name) ? flags[flags.indexOf(name) + 1] : undefined)
const EXITS = { ok: 0, invalid_request: 3, invalid_output: 4, retryable_error: 5, needs_human: 6 }
const now = () => performance.now() / 1000
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000))

function end(document, code) {
  process.stdout.write(JSON.stringify(document, null, 2) + '\n', () => process.exit(code))
  return new Promise(() => {})
}

function unusable(message, code = 'contract_unusable') {
  return end({ error: { code, message, retryable: false } }, 2)
}

function section(text, name) {
  const lines = text.split('\n')
  const start = lines.findIndex((line) => new RegExp(`^#+\\s*${name}\\s*#*\\s*$`, 'i').test(line))
  if (start < 0) throw new Error(`no section ${name}`)
  const body = lines.slice(start + 1)
  const next = body.findIndex((line) => /^#/.test(line))
  return (next < 0 ? body : body.slice(0, next)).join('\n')
}

function schema(text, name) {
  const found = [...section(text, name).matchAll(/^```json\b.*\n([\s\S]*?)^```/gm)]
  if (found.length !== 1) throw new Error(`${name} needs one json fence`)
  return JSON.parse(found[0][1])
}

function contractOf(text) {
  const front = /^---\n([\s\S]*?)\n---\n/.exec(text)
  if (!front) throw new Error('no front matter')
  const keys = Object.fromEntries([...front[1].matchAll(/^([\w-]+): *(.*)$/gm)].map((found) => [found[1], found[2]]))
  const bounds = {}
  for (const [, key, value] of section(text, 'Constraints').matchAll(/^- ([\w-]+): *(.*)$/gm)) {
    if (key in bounds) throw new Error(`${key} stands twice`)
    bounds[key] = value
  }
  const words = (value) => value?.replace(/[[\]\s]/g, '').split(',')
  const [input, output] = [schema(text, 'Input schema'), schema(text, 'Output schema')]
  const own = words(bounds.status_enum)
  const listed = output.properties?.status?.enum
  if (own && listed && own.slice().sort().join() !== listed.slice().sort().join()) throw new Error('the statuses differ')
  const [seconds, attempts] = [bounds.timeout_seconds, bounds.max_attempts]
  if (!/^[\d.]+$/.test(seconds ?? '') || !/^\d+$/.test(attempts ?? '')) throw new Error('no bounds')
  for (const bound of ['max_tokens', 'max_cost_usd', 'max_tool_calls', 'rate_limit', 'tools_allowed']) {
    if (bound in bounds) throw new Error(`${bound} cannot be held`)
  }
  if (Number(bounds.attempt_timeout_seconds ?? 0) > Number(seconds)) throw new Error('the bounds contradict each other')
  const purposes = [...text.matchAll(/^Purpose: (.*)$/gm)].map((found) => found[1])
  if (new Set(purposes).size > 1) throw new Error('two purposes')
  return {
    id: keys.id, version: keys.version, purpose: purposes[0] ?? '', input, output, bounds,
    seconds: Number(seconds), attempts: Number(attempts), attempt: Number(bounds.attempt_timeout_seconds ?? seconds),
    statuses: own ?? listed ?? [...Object.keys(EXITS)], success: words(bounds.success_statuses) ?? ['ok'],
    bytes: Number(bounds.max_output_bytes ?? 1 << 20), hasStatus: 'status' in (output.properties ?? {}),
    meaning: JSON.stringify([input, output, bounds, purposes]),
  }
}

const typeOf = (value) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value)

function wrong(rule, value, place = '') {
  if (rule.$ref) throw new Error('references are not built')
  const type = typeOf(value)
  if (rule.type && rule.type !== type && !(rule.type === 'integer' && Number.isInteger(value))) return [`${place}: type`]
  if (rule.enum && !rule.enum.includes(value)) return [`${place}: enum`]
  if (type === 'number' && value > (rule.maximum ?? Infinity)) return [`${place}: maximum`]
  if (type === 'string' && [...value].length > (rule.maxLength ?? Infinity)) return [`${place}: maxLength`]
  if (type === 'string' && rule.pattern && !new RegExp(rule.pattern, 'u').test(value)) return [`${place}: pattern`]
  if (type !== 'object') return []
  const known = rule.properties ?? {}
  return [
    ...(rule.required ?? []).filter((key) => !(key in value)).map((key) => `${place}/${key}: required`),
    ...Object.keys(value).flatMap((key) =>
      key in known ? wrong(known[key], value[key], `${place}/${key}`)
        : rule.additionalProperties === false ? [`${place}/${key}: additional`] : []),
  ]
}

function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join()}}`
}

function attempt(document, seconds, most) {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, LANG: process.env.LANG }
    const child = spawn(task, { env, stdio: ['pipe', 'pipe', 'ignore'], detached: true })
    let [said, stopped] = ['', '']
    const stop = (why) => {
      stopped ||= why
      try { process.kill(-child.pid, 'SIGKILL') } catch { /* it is gone */ }
    }
    const timer = setTimeout(() => stop('timeout'), seconds * 1000)
    child.stdout.on('data', (part) => { said += part; if (said.length > most) stop('output_too_large') })
    child.stdin.on('error', () => {})
    child.stdin.end(JSON.stringify(document) + '\n')
    child.on('exit', (code, signal) => { clearTimeout(timer); stop('over'); setImmediate(() => resolve({ code, signal, said, stopped: stopped === 'over' ? '' : stopped })) })
  })
}

function judged(contract, run, ending) {
  const bad = (code) => ({ again: true, status: 'invalid_output', code })
  if (ending.stopped === 'timeout') return { again: true, status: 'retryable_error', code: 'timeout' }
  if (ending.stopped) return bad(ending.stopped)
  if (ending.signal) return { again: true, status: 'retryable_error', code: 'attempt_crashed' }
  if ([64, 65].includes(ending.code)) return { status: 'invalid_request', code: 'input_rejected' }
  if ([69, 75].includes(ending.code)) return { again: true, status: 'retryable_error', code: 'backend_unavailable' }
  if (ending.code === 77) return { status: contract.statuses.includes('needs_human') ? 'needs_human' : 'invalid_output', code: 'approval_required' }
  if (ending.code) return { status: contract.statuses.includes('needs_human') ? 'needs_human' : 'invalid_output', code: 'backend_failed' }
  let reply
  try { reply = JSON.parse(ending.said.trim().replace(/^```json\n([\s\S]*)\n```$/, '$1')) } catch { return bad('output_not_json') }
  if (typeOf(reply) !== 'object') return bad('output_not_json')
  if (!contract.hasStatus) {
    if (reply.status in EXITS && reply.status !== 'ok') return { status: reply.status, code: 'task_reported' }
    if (reply.status === 'ok' && 'outputs' in reply) reply = reply.outputs
  } else {
    reply = { run_id: run, status: 'ok', ...reply }
    if (reply.run_id !== run) return bad('run_id_mismatch')
    if (!contract.statuses.includes(reply.status)) return bad('status_not_allowed')
  }
  if (wrong(contract.output, reply).length) return bad('output_schema_mismatch')
  const status = reply.status ?? 'ok'
  return { again: status === 'retryable_error', status, document: reply, code: status === 'ok' ? '' : 'task_reported' }
}

function told(contract, run, made) {
  if (made.document) return made.document
  const error = { code: made.code, message: 'see the format', retryable: Boolean(made.left) }
  if (!contract.hasStatus) return { worker_id: contract.id, run_id: run, status: made.status, error }
  return { run_id: run, status: made.status, result: { error } }
}

const exitOf = (contract, status) => (contract.success.includes(status) ? 0 : EXITS[status] ?? 7)

async function main() {
  let contract
  try { contract = contractOf(readFileSync(spec, 'utf8')) } catch (error) { return unusable(error.message) }
  const most = Number(option('--max-attempts') ?? contract.attempts)
  if (most > contract.attempts) return unusable('a bound may not be loosened', 'usage')
  let [input, run] = [undefined, option('--run-id') ?? '']
  const refuse = (code) => end(told(contract, run, { status: 'invalid_request', code }), EXITS.invalid_request)
  try { input = JSON.parse(readFileSync(inputPath, 'utf8')) } catch { return refuse('input_schema_mismatch') }
  if (typeof input?.run_id === 'string') run = input.run_id
  try { if (wrong(contract.input, input).length) return refuse('input_schema_mismatch') } catch (error) { return unusable(error.message) }
  if (!run && !('run_id' in (contract.input.properties ?? {}))) return unusable('name the run', 'run_key_missing')
  if (!run || [...run].length > 512 || /\p{Cc}/u.test(run)) return refuse('input_schema_mismatch')
  const until = now() + contract.seconds

  const digest = (text) => createHash('sha256').update(text).digest('hex')
  const place = join(ledger, digest(canonical([contract.id, run])))
  mkdirSync(ledger, { recursive: true })
  const read = () => (existsSync(`${place}.json`) ? JSON.parse(readFileSync(`${place}.json`, 'utf8')) : undefined)
  const keep = (record) => { writeFileSync(`${place}.new`, JSON.stringify(record)); renameSync(`${place}.new`, `${place}.json`) }
  const print = (record) => {
    if (!flags.includes('--envelope')) return end(record.answer, record.exit)
    const { answer: outputs, status, exit, began } = record
    return end({ worker_id: contract.id, version: contract.version, run_id: run, status, exit_code: exit, outputs, output_valid: !record.code, ...(record.code ? { error: { code: record.code } } : {}), replayed: Boolean(record.replayed), attempts: Array.from({ length: began }, (_, n) => ({ n: n + 1 })) }, exit)
  }
  for (;;) {
    try { mkdirSync(`${place}.lock`); break } catch { /* another process has the run */ }
    if (now() > until) return end(told(contract, run, { status: 'retryable_error', code: 'run_in_progress', left: 1 }), 5)
    await pause(0.02)
  }
  process.on('exit', () => { try { rmdirSync(`${place}.lock`) } catch { /* it was never made */ } })

  const hash = digest(canonical(input))
  const record = read() ?? { hash, meaning: contract.meaning, began: 0, settled: false }
  if (record.hash !== hash) return refuse('idempotency_conflict')
  if (record.settled) return print({ ...record, replayed: true })
  if (record.meaning !== contract.meaning) return refuse('contract_changed')
  let made = { status: 'retryable_error', code: 'attempts_exhausted' }
  while (record.began < most && now() < until) {
    record.began += 1
    keep(record)
    const document = { worker_id: contract.id, version: contract.version, run_id: run, attempt: record.began, max_attempts: most, seconds_left: until - now(), purpose: contract.purpose, mode: '', input, output_schema: contract.output, tools_allowed: [], feedback: made.feedback ?? [], decisions: [], trace: {}, artifacts_dir: '', settings: {}, budget: {} }
    made = judged(contract, run, await attempt(document, Math.min(contract.attempt, until - now()), contract.bytes))
    if (!made.again) break
    made.feedback = [{ message: made.code }]
    await pause(0.1 * Math.random())
  }
  made.left = made.again && record.began < most ? most - record.began : 0
  if (!made.again && !made.code && record.began >= most && !made.document) made.status = 'retryable_error'
  Object.assign(record, { status: made.status, code: made.code, answer: told(contract, run, made), exit: exitOf(contract, made.status) })
  record.settled = !made.left
  keep(record)
  return print(record)
}

await main()

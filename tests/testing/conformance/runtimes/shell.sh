#!/bin/sh
# A worker.md runtime in a shell: sh shell.sh SPEC INPUT TASK. It needs jq and the coreutils.
# It checks the types, the required keys and the closed objects of one level, counts attempts, and keeps nothing.
spec=$1 input=$2 task=$3
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

# The fence of a section, and the value of a constraint.
fence() {
    awk -v name="$1" 'tolower($0) ~ "^#+[ \t]*" name "[ \t]*#*[ \t]*$" { on = 1; next }
        /^#/ { on = 0 } on && /^```/ { if (inside) exit; inside = ($0 ~ /^```json/); next } on && inside' "$spec"
}
constraint() { sed -n "s/^- $1: *//p" "$spec"; }
field() { sed -n "s/^$1: *//p" "$spec" | head -n 1; }

unusable() { printf '{"error": {"code": "contract_unusable", "message": "%s", "retryable": false}}\n' "$1"; exit 2; }

fence 'input schema' > "$work/input.schema"
fence 'output schema' > "$work/output.schema"
[ -s "$work/input.schema" ] && jq -e 'type == "object"' "$work/input.schema" > "$work/said" 2>&1 || unusable "no input schema"
[ -s "$work/output.schema" ] && jq -e 'type == "object"' "$work/output.schema" > "$work/said" 2>&1 || unusable "no output schema"
seconds=$(constraint timeout_seconds) most=$(constraint max_attempts)
case $seconds in '' | *[!0-9.]*) unusable "no timeout_seconds" ;; esac
case $most in '' | *[!0-9]*) unusable "no max_attempts" ;; esac
own=$(constraint status_enum | tr -d '[] ')
listed=$(jq -r '.properties.status.enum // [] | join(",")' "$work/output.schema")
[ -z "$own" ] || [ -z "$listed" ] || [ "$own" = "$listed" ] || unusable "the statuses differ"

# Whether a document matches a schema, one level deep.
matches() {
    jq -e -s '.[0] as $s | .[1] as $d | length == 2 and ($d | type) == "object"
        and all($s.required // [] | .[]; . as $k | $d | has($k))
        and ($s.additionalProperties != false or all($d | keys[]; . as $k | $s.properties | has($k)))
        and all($d | to_entries[]; . as $e | $s.properties[$e.key] as $p | $p == null
            or (($p.type == null or $p.type == ($e.value | type) or ($p.type == "integer" and ($e.value | type) == "number"))
            and ($p.enum == null or any($p.enum[]; . == $e.value))
            and all($p.properties // {} | to_entries[]; . as $q | $e.value[$q.key] as $v | $v == null
                or (($v | type) == "number" and ($q.value.maximum == null or $v <= $q.value.maximum)))))' "$1" "$2" > "$work/said" 2>&1
}

# One failure, in the form of the contract's output.
fail() {
    jq -n --arg run "$run" --arg status "$1" --arg code "$2" \
        '{run_id: $run, status: $status, result: {error: {code: $code, message: "see the format", retryable: false}}}'
    exit "$3"
}

run=$(jq -r '.run_id | strings' "$input" 2> "$work/said")
matches "$work/input.schema" "$input" || fail invalid_request input_schema_mismatch 3

attempt=0 status=invalid_output code=output_schema_mismatch exit=4
until=$(awk -v now="$(date +%s.%N)" -v seconds="$seconds" 'BEGIN { printf "%.3f", now + seconds }')
while [ "$attempt" -lt "$most" ]; do
    attempt=$((attempt + 1))
    left=$(awk -v now="$(date +%s.%N)" -v end="$until" 'BEGIN { left = end - now; printf "%.3f", (left > 0 ? left : 0) }')
    [ "$left" != 0.000 ] || break
    jq -n --slurpfile input "$input" --slurpfile schema "$work/output.schema" --arg id "$(field id)" \
        --arg version "$(field version)" --arg run "$run" --arg purpose "$(field Purpose)" \
        --argjson attempt "$attempt" --argjson most "$most" --argjson left "$left" \
        '{worker_id: $id, version: $version, run_id: $run, attempt: $attempt, max_attempts: $most, seconds_left: $left,
          purpose: $purpose, mode: "", input: $input[0], output_schema: $schema[0], feedback: [], decisions: []}' > "$work/task"
    env -i PATH="$PATH" HOME="$HOME" LANG="$LANG" timeout -s KILL "$left" "$task" < "$work/task" > "$work/reply" 2> "$work/said"
    case $? in
        0) ;;
        64 | 65) fail invalid_request input_rejected 3 ;;
        69 | 75) status=retryable_error code=backend_unavailable exit=5; sleep 0.1; continue ;;
        77) fail needs_human approval_required 6 ;;
        137) status=retryable_error code=timeout exit=5; continue ;;
        13[0-9]) status=retryable_error code=attempt_crashed exit=5; continue ;;
        *) fail invalid_output backend_failed 4 ;;
    esac
    status=invalid_output exit=4 code=output_not_json
    jq -e -s 'length == 1 and (.[0] | type) == "object"' "$work/reply" > "$work/said" 2>&1 || continue
    jq --arg run "$run" '{run_id: $run, status: "ok"} + .' "$work/reply" > "$work/filled"
    code=run_id_mismatch
    [ "$(jq -r .run_id "$work/filled")" = "$run" ] || continue
    said=$(jq -r .status "$work/filled") code=status_not_allowed
    case ",$own," in *",$said,"*) ;; *) continue ;; esac
    code=output_schema_mismatch
    matches "$work/output.schema" "$work/filled" || continue
    [ "$said" = retryable_error ] && { status=retryable_error exit=5 code=task_reported; continue; }
    cat "$work/filled"
    case $said in ok) exit 0 ;; invalid_request) exit 3 ;; invalid_output) exit 4 ;; needs_human) exit 6 ;; *) exit 7 ;; esac
done
fail "$status" "$code" "$exit"

# Sourced by the shell suites: runs named cases one after another, says how each ended, and counts.
# A case is a function that fails, or prints what it wanted to see beside what it saw.

bootstrap=127.0.0.1:9092
only=
passed=0
failed=0
run_tag=$(date +%s%N | tail -c 10)
serial=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

while (($#)); do
    case $1 in
    --bootstrap) bootstrap=$2 ;;
    --case) only=$2 ;;
    *)
        echo "unknown argument $1" >&2
        exit 2
        ;;
    esac
    shift 2
done

# fresh STEM: sets $name to a name no other case uses.
fresh() {
    serial=$((serial + 1))
    name=$1-$run_tag-$serial
}

# equal ACTUAL EXPECTED WHAT
equal() {
    if [[ $1 != "$2" ]]; then
        printf '%s: what came was\n%s\nand not\n%s\n' "$3" "$1" "$2"
        return 1
    fi
}

# matches TEXT PATTERN: an extended regular expression that some line of the text must match.
matches() {
    if ! grep -Eq -- "$2" <<<"$1"; then
        printf 'no line matches %s in\n%s\n' "$2" "$1"
        return 1
    fi
}

# until_true SECONDS COMMAND…: waits for a command to succeed, with a bound.
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        if ((SECONDS >= end)); then
            echo "never: $*"
            return 1
        fi
        sleep 0.1
    done
}

# try NAME FUNCTION [ARGUMENT…]: the case runs in a subshell, where its failure ends only itself.
try() {
    local title=$1 began=${EPOCHREALTIME/./}
    shift
    [[ $title == *"$only"* ]] || return 0
    set +e
    (
        set -e
        "$@"
    ) >"$scratch/output" 2>&1
    ended "$title" $? "$began"
    set -e
}

# try_here NAME FUNCTION [ARGUMENT…]: the case runs in this shell, because the processes it starts are needed
# later; it must return 1 by itself where something is wrong.
try_here() {
    local title=$1 began=${EPOCHREALTIME/./}
    shift
    [[ $title == *"$only"* ]] || return 0
    set +e
    "$@" >"$scratch/output" 2>&1
    ended "$title" $? "$began"
    set -e
}

# ended NAME CODE BEGAN
ended() {
    local took=$(((${EPOCHREALTIME/./} - $3) / 1000))
    if (($2 == 0)); then
        passed=$((passed + 1))
        echo "PASS $1 ($took ms)"
    else
        failed=$((failed + 1))
        echo "FAIL $1 ($took ms)"
        sed 's/^/       /' "$scratch/output" | tail -30
    fi
}

finish() {
    echo "$passed passed, $failed failed"
    ((failed == 0))
}

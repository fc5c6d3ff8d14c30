"""har.schema.json and hard -t agree on all samples of tests/unit/config, but for what is said here."""

import glob
import json
import os
import re
import subprocess

import harness

try:
    import jsonschema
except ImportError as error:
    raise SystemExit("this test needs python3-jsonschema: scripts/deps test") from error

SOURCE = os.environ["HAR_SRCDIR"]
SAMPLES = os.path.join(SOURCE, "tests/unit/config")
EXAMPLE = os.path.join(SOURCE, "config/har.json.example")

# Lines of hard (regular expressions) for which the schema has no error at the same place, and why.
BEYOND_SCHEMA = {
    # Not JSON, or not there: no schema is asked.
    r"^[^ :]*:\d+:\d+: ": "no JSON",
    r"the file is empty": "no JSON",
    r": (open|read): ": "no file",
    r"NUL character": "a text that C cannot hold; jansson refuses it before anything is looked at",
    # Rules between keys: a schema sees one object, not what it inherits.
    r"the same (address|host name) and check port as": "depends on ports that may be inherited",
    r"addresses alone; allowed with family": "the family may be inherited",
    r"the same name as candidates": "compares two candidates",
    r"the same address (and port )?as at": "compares two elements; the schema reports the array",
    r"is defined already in": "compares names without case, in all files",
    r"given twice: case": "compares names without case",
    r"fast_interval.*at most the interval": "compares two keys",
    r"at least the inherited fast_interval": "compares two objects",
    r"\"GET\", to look at": "the body may be inherited",
    r"a key without a certificate": "the certificate may be inherited",
    r"check\.port: missing": "the port may be inherited",
    r"inherited_type\.json: .*has no such key": "the type is inherited",
    r"key_not_of_type\.json: .*http\.example.*has no such key": "the type is inherited",
    # What no schema calculates or looks up.
    r"found \"[^\"]*(s|m|h|d)\"; allowed: \S+ to \S+( in whole \w+)?, as": "bounds of a text",
    r"in whole milliseconds, as": "steps of a number that are no whole number of seconds",
    r"No such file|Is a directory|Not a regular file": "files on this machine",
    r"a POSIX extended expression(,| \()": "the text of such an expression",
    r"\\u000a\"; allowed: ": "in Python, unlike ECMA-262, $ matches before a last line break",
    r"found \"200-199\"": "a range that ends before it begins",
    r"found \"\[[^]]*\]:53\"; allowed: an IPv4": "the text of an IPv6 address between brackets",
    r"with the folder of the configuration": "how long the name of a folder is",
    r"without this key around them": "the schema takes it for the name of a host",
}


def load(path):
    """[the JSON of a file], or [] when hard would find none."""
    def unique(pairs):
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("duplicate key")
        return dict(pairs)
    try:
        with open(path, encoding="utf-8") as file:
            return [json.load(file, object_pairs_hook=unique)]
    except (ValueError, RecursionError, IsADirectoryError):
        return []


def quoted(text):
    """A key as hard writes it: shortened, control characters escaped."""
    size = 0
    shown = ""
    for character in text:
        if size >= 60:
            return f'["{shown}..."]'
        size += len(character.encode())
        code = ord(character)
        shown += (f"\\u{code:04x}" if code < 32 or 127 <= code < 160
                  else "\\" + character if character in "\"\\" else character)
    return f'["{shown}"]'


def place(path, in_hosts_file):
    """Where a value is, as hard writes it. path: keys and indexes."""
    text = ""
    for depth, key in enumerate(path):
        above = path[depth - 1] if depth > 0 else None
        is_name = (depth == 0 if in_hosts_file else depth == 1 and above == "hosts")
        if isinstance(key, int):
            text += f"[{key}]"
        elif is_name or above == "headers" or not re.fullmatch(r"\w{1,60}", key, re.ASCII):
            text += quoted(key)
        else:
            text += f".{key}" if text else key
    return text


def places(error, in_hosts_file):
    """The places that an error of the schema is about."""
    path = list(error.absolute_path)
    keys = []
    if "propertyNames" in error.absolute_schema_path:
        keys = [error.instance]
    elif error.validator == "additionalProperties":
        keys = [k for k in error.instance
                if k not in error.schema["properties"] and not k.startswith("//")]
    elif error.validator == "required":
        keys = [k for k in error.validator_value if k not in error.instance]
    found = {place(path + [key], in_hosts_file) for key in keys} or {place(path, in_hosts_file)}
    for cause in error.context:
        found |= places(cause, in_hosts_file)
    return found


def find_samples(folder):
    return sorted(glob.glob(f"{folder}/*.json") + glob.glob(f"{folder}/*/har.json"))


class Schema(harness.TestCase):
    def setUp(self):
        super().setUp()
        [schema] = load(os.path.join(SOURCE, "config/har.schema.json"))
        kind = jsonschema.Draft202012Validator
        kind.check_schema(schema)
        checker = jsonschema.FormatChecker()
        self.main_file = kind(schema, format_checker=checker)
        self.hosts_file = kind({"$ref": "#/$defs/hosts", "$defs": schema["$defs"]},
                               format_checker=checker)

    def schema_errors(self, folder, name):
        """(file, place) of all that the schema has against a configuration and its hosts.d."""
        beside = os.path.join(os.path.dirname(name), "hosts.d", "*.json")
        found = set()
        for file in [name, *sorted(glob.glob(beside, root_dir=folder))]:
            validator = self.main_file if file == name else self.hosts_file
            for content in load(os.path.join(folder, file)):
                for error in validator.iter_errors(content):
                    found |= {(file, p) for p in places(error, file != name)}
        return found

    def hard_errors(self, folder, name):
        """The lines of hard -t."""
        done = subprocess.run([harness.HARD, "-t", "-c", name], check=False, cwd=folder,
                              capture_output=True, text=True, errors="replace")
        lines = done.stderr.splitlines()
        self.assertEqual(done.returncode, 1 if lines else 0, done.stderr)
        return lines

    def test_valid_samples(self):
        samples = find_samples(f"{SAMPLES}/valid") + [EXAMPLE]
        self.assertGreaterEqual(len(samples), 13)
        for path in samples:
            name = os.path.relpath(path, f"{SAMPLES}/valid")
            with self.subTest(name):
                self.assertEqual(self.hard_errors(f"{SAMPLES}/valid", name), [])
                self.assertEqual(self.schema_errors(f"{SAMPLES}/valid", name), set())

    def test_invalid_samples(self):
        folder = f"{SAMPLES}/invalid"
        samples = find_samples(folder)
        self.assertGreaterEqual(len(samples), 73)
        needed = set()
        for path in samples:
            name = os.path.relpath(path, folder)
            found = self.schema_errors(folder, name)
            lines = self.hard_errors(folder, name)
            with self.subTest(name):
                self.assertNotEqual(lines, [])
            for line in lines:
                if any(line.startswith(f"{file}: {at}: " if at else f"{file}: ")
                       for file, at in found):
                    continue
                reasons = {pattern for pattern in BEYOND_SCHEMA if re.search(pattern, line)}
                needed |= reasons
                with self.subTest(line):
                    self.assertTrue(reasons, "the schema accepts it")
        self.assertEqual(set(BEYOND_SCHEMA) - needed, set(), "not needed")


if __name__ == "__main__":
    harness.main(machine=False)

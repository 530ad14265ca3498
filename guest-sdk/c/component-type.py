"""Writes src/component_type.h: the component type of the world, as a module that any other SDK has built carries it.

    python3 component-type.py MODULE.wasm > src/component_type.h

It has to be run again where wit/operator.wit changes what crosses the boundary.
"""

import sys


def number(data, at):
    """The LEB128 number at `at`, and what is behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def sections(data):
    """Each section with its custom name (None of others), its content behind that, and all of its bytes."""
    at = 8
    while at < len(data):
        size, start = number(data, at + 1)
        name, content = None, start
        if data[at] == 0:
            length, content = number(data, start)
            name, content = data[content : content + length].decode(), content + length
        yield name, data[content : start + size], data[at : start + size]
        at = start + size


def component_type(module):
    """The content of the module's component type, without who has made it."""
    for name, content, _ in sections(module):
        if name and name.startswith("component-type") and "exports-removed" not in name:
            return content[:8] + b"".join(whole for inner, _, whole in sections(content) if inner != "producers")
    sys.exit("this module carries no component type")


def main():
    content = component_type(open(sys.argv[1], "rb").read())
    print("/* The component type of wit/operator.wit's world, in a custom section of the module: so a job file may name the module as it is.")
    print(" * component-type.py writes this file. */")
    print("#ifdef __wasm__")
    print('__asm__(".section \\".custom_section.component-type:weir:operator\\",\\"\\",@\\n"')
    for at in range(0, len(content), 24):
        print('        "  .byte ' + ",".join(str(byte) for byte in content[at : at + 24]) + '\\n"')
    print('        "  .text\\n");')
    print("#endif")


main()

#!/usr/bin/python3
"""docs/instrument: the header and the examples of its README compile as Xen, Linux, FreeRTOS
and a plain program would compile them, with the host's compiler and an aarch64 one where
there is one. What those systems declare, stands below in the few words that are needed."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ['HVSCOPE_SOURCE_ROOT'])
INSTRUMENT = SOURCE / 'docs/instrument'
WARNINGS = ['-Wall', '-Wextra', '-Werror', '-Wdeclaration-after-statement', '-O2', '-c', '-o',
            '/dev/null']
TYPES = """#pragma once
typedef unsigned char uint8_t;
typedef unsigned int uint32_t;
"""
XEN = """#include <xen/types.h>
#define __iomem
#define __init
#define __initcall(f) int (*f##_call)(void) = f
#define PAGE_SIZE 4096
struct domain { unsigned short domain_id; };
struct vcpu { unsigned int vcpu_id; struct domain *domain; };
void *ioremap_nocache(unsigned long start, unsigned long len);
unsigned int smp_processor_id(void);
void switch_to(struct vcpu *next);
"""
LINUX = """#include <linux/types.h>
#define __iomem
#define __force
struct request { struct { struct { unsigned long long id; } rw; } u; };
void *ioremap(unsigned long start, unsigned long len);
unsigned int raw_smp_processor_id(void);
int backend_init(void);
void backend_take(struct request *req);
"""
FREERTOS = """#include <stdint.h>
typedef void *TaskHandle_t;
TaskHandle_t xTaskGetCurrentTaskHandle(void);
unsigned long uxTaskGetTaskNumber(TaskHandle_t task);
void switched_in(void);
"""
PLAIN = """#include "hvscope-markers.h"
void mark(volatile void *ports);
void mark(volatile void *ports)
{
	hvscope_switch(ports, 0, 1);
	hvscope_begin(ports, 1, 2);
	hvscope_end(ports, 1, 2);
	hvscope_request(ports, 1, HVSCOPE_STEP_SUBMIT, 3);
	hvscope_event(ports, 2, 4);
}
"""


def examples():
    """The C blocks of the README: Xen's, Linux's, FreeRTOS's."""
    found = re.findall(r'```c\n(.*?)```', (INSTRUMENT / 'README.md').read_text(), re.DOTALL)
    assert len(found) == 3, 'README.md has %d examples' % len(found)
    return found


def xen():
    outside, inside = examples()[0].split('/* xen/arch/arm/domain.c', 1)
    return (XEN + outside + 'void switch_to(struct vcpu *next)\n{\n'
            + inside.split('*/\n', 1)[1] + '}\n')


def linux():
    outside, rest = examples()[1].split('/* xen_blkif_init() */')
    init, take = rest.split('/* dispatch_rw_block_io()', 1)
    return (LINUX + outside + 'int backend_init(void)\n{\n' + init + 'return hvscope_ports != 0;\n}\n'
            + 'void backend_take(struct request *req)\n{\n' + take.split('*/\n', 1)[1] + '}\n')


def freertos():
    return FREERTOS + examples()[2] + 'void switched_in(void)\n{\n\ttraceTASK_SWITCHED_IN();\n}\n'


# Name, source, flags: kernels have no headers of the compiler's.
CASES = (('xen', xen, ['-std=gnu99', '-nostdinc', '-D__XEN__']),
         ('linux', linux, ['-std=gnu11', '-nostdinc', '-D__KERNEL__']),
         ('freertos', freertos, ['-std=c99', '-ffreestanding']),
         ('plain', lambda: PLAIN, ['-std=c99', '-pedantic', '-ffreestanding']))


def compilers():
    found = [os.environ.get('CC', 'cc').split()[0]]
    cache = os.environ.get('HVSCOPE_LAB_CACHE') or SOURCE / 'build/lab'
    for name in ('aarch64-linux-gnu-gcc', str(pathlib.Path(cache) / 'bin/aarch64-linux-gnu-gcc')):
        if shutil.which(name):
            found.append(name)
            break
    return found


def compile_one(compiler, source, flags, folder):
    path = folder / 'example.c'
    path.write_text(source)
    result = subprocess.run([compiler, *WARNINGS, *flags, '-I', str(INSTRUMENT), '-I', str(folder),
                             str(path)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def main():
    print('1..%d' % len(CASES))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for kernel in ('xen', 'linux'):
            (folder / kernel).mkdir()
            (folder / kernel / 'types.h').write_text(TYPES)
        for number, (case, source, flags) in enumerate(CASES, 1):
            try:
                for compiler in compilers():
                    compile_one(compiler, source(), flags, folder)
                print('ok %d instrument/%s' % (number, case))
            except AssertionError as error:
                print('not ok %d instrument/%s' % (number, case))
                print('\n'.join('# ' + line for line in str(error).splitlines()))
    return 0


if __name__ == '__main__':
    sys.exit(main())

"""Commands that start Java 17 programs: Beam's job servers, and clusters for the demos."""

from __future__ import annotations

import os
import pathlib
import shutil

from thawline.components.shared.errors import ConfigError, NotFound

# Packages that Flink 1.19 and Spark 3.5 access and Java 17 hides, as Flink's own configuration
# (env.java.opts.all) and Spark's `JavaModuleOptions` open them.
_EXPORTS = ('sun.net.util',)
_OPENS = (
    'java.lang', 'java.lang.invoke', 'java.lang.reflect', 'java.net', 'java.io', 'java.nio',
    'sun.nio.ch', 'java.text', 'java.time', 'java.util', 'java.util.concurrent',
    'java.util.concurrent.atomic', 'java.util.concurrent.locks',
)  # fmt: skip


def program() -> str:
    home = os.environ.get('JAVA_HOME')
    java = shutil.which('java', path=f'{home}/bin') if home else None
    java = java or shutil.which('java')
    if java is None:
        raise ConfigError(
            'there is no java, which the job server of this engine needs: install Java 17 (Debian: '
            'openjdk-17-jre-headless), set JAVA_HOME, or name a running job server in '
            'beam.job_endpoint'
        )
    return java


def class_path(jars: pathlib.Path) -> str:
    """A jar, or all jars of a folder."""
    if jars.is_dir():
        if not any(jars.glob('*.jar')):
            raise NotFound(f'there is no jar in {jars}')
        return f'{jars}/*'
    if not jars.is_file():
        raise NotFound(f'there is no file {jars}; make flink-demo and make spark-demo download one')
    return str(jars)


def command(
    jars: pathlib.Path, main: str, megabytes: int, *arguments: str, direct: int | None = None
) -> list[str]:
    """A command that runs the class `main` with so many megabytes of heap.

    Direct memory, for buffers, has the size of the heap by default.
    """
    modules = [
        *(f'--add-exports=java.base/{name}=ALL-UNNAMED' for name in _EXPORTS),
        *(f'--add-opens=java.base/{name}=ALL-UNNAMED' for name in _OPENS),
    ]
    # Small heaps and few cores: the parallel collectors only start threads.
    memory = ['-XX:+UseSerialGC', f'-Xmx{megabytes}m']
    if direct is not None:
        memory.append(f'-XX:MaxDirectMemorySize={direct}m')
    return [program(), *memory, *modules, '-cp', class_path(jars), main, *arguments]

# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""The ament_python package; colcon and pip read it alike."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = 'caption_node'
SHARE = Path('share') / PACKAGE


def data_files() -> list[tuple[str, list[str]]]:
    """
    List what is looked for beside the code: index marker, manifest, launch files, models, .msg.

    :returns: Pairs of (folder below the install prefix, files of this repository).
    """
    files = [
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (str(SHARE), ['package.xml']),
    ]
    for tree in ('launch', 'models'):
        for folder in sorted({path.parent for path in Path(tree).rglob('*') if path.is_file()}):
            inside = [str(path) for path in sorted(folder.iterdir()) if path.is_file()]
            # What only training reads stays in the repository.
            inside = [path for path in inside if not path.endswith('.safetensors')]
            if '__pycache__' not in folder.parts:
                files.append((str(SHARE / folder), inside))
    # Recordings embed the definitions of our messages, on machines without ROS too.
    messages = sorted(Path('ros_ws/src/caption_msgs/msg').glob('*.msg'))
    files.append((str(SHARE / 'msg'), [str(path) for path in messages]))
    return files


setup(
    name=PACKAGE,
    version='0.1.0',
    description='Scene descriptions from camera frames, in real time',
    author='The caption_node authors',
    license='Apache-2.0',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    package_data={PACKAGE: ['py.typed', 'web/assets/*']},
    data_files=data_files(),
    python_requires='>=3.10,<3.13',
    install_requires=['setuptools'],
    extras_require={'test': ['pytest']},
    zip_safe=False,
    entry_points={
        'console_scripts': [
            'caption = caption_node.cli:main',
            'caption_node = caption_node.ros.program:main',
        ],
    },
)

import json

import pytest

from thawline.pipeline.system.paths_in_text import replace_folders


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('/a/b', '/new'),
        ('/a/b/', '/new/'),
        ('/a/b/c.jpg', '/new/c.jpg'),
        ('/a/bc', '/a/bc'),
        ('/a/b.old/c', '/a/b.old/c'),
        ('/x/a/b/c', '/x/a/b/c'),
        ('gs://x/a/b', 'gs://x/a/b'),
        ('from /a/b, to (/a/b)', 'from /new, to (/new)'),
        ('path=/a/b/c', 'path=/new/c'),
        ('', ''),
    ],
)
def test_whole_names_at_the_beginning_of_a_path(text: str, expected: str) -> None:
    assert replace_folders(text, {'/a/b': '/new'}) == expected


@pytest.mark.parametrize('folder', ['/a/b', '/größe/"x" \\1', '/a b/(c) [d]*'])
def test_json_at_every_depth(folder: str) -> None:
    text, expected = (
        json.dumps({'x': json.dumps({'path': f'{f}/i', 'y': json.dumps([f])})})
        for f in (folder, '/ä\\g<0>/"2"')
    )
    assert replace_folders(text, {folder: '/ä\\g<0>/"2"'}) == expected


def test_inner_folders_count_before_outer_ones() -> None:
    others = {'/home': '{home}', '/home/runs/x': '{output}'}
    assert replace_folders('/home/runs/x/1 /home/img', others) == '{output}/1 {home}/img'

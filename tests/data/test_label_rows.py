"""CSV files of labels: how they may be written, and what is wrong in them."""

import pytest

from litlab.data.label_rows import Row, labels_in, read_rows


def test_columns_may_be_in_any_order_and_in_quotes_with_a_byte_order_mark(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_bytes(
        b'\xef\xbb\xbf"Split",note,"label",FILE\r\n'
        b'train,"two\r\nlines","cat, big", a b.png\r\n'
        b"\r\n , , ,\r\n"
        b',x,cat,b.png\r\n,,"d""o""g",\xc3\xa4/c.png'
    )
    assert read_rows(file) == [
        Row(2, "a b.png", "cat, big", "train"),
        Row(6, "b.png", "cat", ""),
        Row(7, "ä/c.png", 'd"o"g', ""),
    ]


def test_a_split_need_not_be_there(tmp_path):
    (tmp_path / "labels.csv").write_text("label,file\ncat,a.png\n")
    assert read_rows(tmp_path / "labels.csv") == [Row(2, "a.png", "cat", "")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r": the first line must name one column file, between commas, not nothing"),
        ("file,class\na.png,cat", r": the first line must name one column label, between commas, not 'file', 'class'"),
        ("file;label\na.png;cat", r": the first line must name one column file, between commas, not 'file;label'"),
        ("file,label,label\n", r": the first line must name one column label, between commas, not 'file', 'label', "),
        ("file,label\n\n", r": is empty: each line below the first must name a picture"),
        ("file,label\na.png,cat\nb.png", r", line 3: has 1 cell and the first line 2; an empty cell needs its comma$"),
        ("file,label\na.png,cat,dog", r", line 2: has 3 cells and the first line 2; a cell with a comma needs quotes"),
        ("file,label\n,cat", r", line 2: names no file"),
        ("file,label,split\na.png,cat,valid", r", line 2: split must be train, val, test or empty, not 'valid'"),
        ("file,label\na.png,cat\nb.png,cat\n./a.png,dog", r", line 4: \./a\.png is in line 2 already"),
        ('file,label\na.png,"cat', r", line 2: is not CSV: unexpected end of data"),
        ('file,label\n"a"b.png,cat', r", line 2: is not CSV: ',' expected after '\"'"),
    ],
)
def test_a_mistake_is_one_line_with_its_number(tmp_path, text, message):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(ValueError, match=rf"^file \S*labels\.csv{message}"):
        read_rows(tmp_path / "labels.csv")


def test_another_encoding_is_refused(tmp_path):
    (tmp_path / "labels.csv").write_text("file,label\na.png,cat\n", encoding="utf-16")
    with pytest.raises(ValueError, match=r"^file \S*labels\.csv: must be text in UTF-8$"):
        read_rows(tmp_path / "labels.csv")


def test_labels_of_a_row_are_split_at_the_separator():
    assert labels_in(" cat ; big dog;;cat", ";") == ["cat", "big dog"]
    assert labels_in("cat;x|dog", "|") == ["cat;x", "dog"]
    assert labels_in("", ";") == []

from scripts import REPOSITORY

from litlab.cli.reference import reference


def test_the_page_of_all_settings_is_made_of_the_configs():
    """After a change in conf/: python -m litlab.cli.reference conf > src/litlab/config/README.md."""
    page = REPOSITORY / "src/litlab/config/README.md"
    assert page.read_text() == reference(REPOSITORY / "conf")

"""Chromium, with a page that is to complain of nothing."""
import contextlib
import shutil
import sys

from playwright.sync_api import sync_playwright

PATIENCE = 120_000  # milliseconds


@contextlib.contextmanager
def page_of_chromium():
    """A page, and the list that its complaints come to. Exit status 69: no Chromium."""
    path = shutil.which('chromium')
    if path is None:
        print('chromium is not installed: scripts/install-dependencies', file=sys.stderr)
        sys.exit(69)
    with sync_playwright() as playwright:
        # Root has no sandbox, and what is looked at is ours.
        browser = playwright.chromium.launch(executable_path=path, args=['--no-sandbox'], timeout=PATIENCE)
        page = browser.new_page(viewport={'width': 1280, 'height': 800}, color_scheme='light')
        page.set_default_timeout(PATIENCE)
        complaints = []
        page.on('console', lambda message: complaints.append(message.text))
        page.on('pageerror', lambda error: complaints.append(str(error)))
        yield page, complaints
        browser.close()

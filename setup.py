"""What pyproject.toml cannot say: `pipelines/`, a folder of the repository, is installed as `zslpipe/pipelines`."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["zslpipe", "zslpipe.*"]), "zslpipe.pipelines"],
    package_dir={"zslpipe.pipelines": "pipelines"},
    package_data={
        "zslpipe": ["py.typed"],
        "zslpipe.pipelines": ["*/*.yaml"],
        "zslpipe.report": ["*.css"],
        "zslpipe.serving.web": ["*.css", "*.js"],
    },
)

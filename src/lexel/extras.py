"""Which of Lexel's extras brings which library, and the error for one that is not installed."""

from lexel.errors import UsageError

EXTRAS = {  # import name → extra
    "charset_normalizer": "data",
    "diffusers": "generate",
    "faiss": "search",
    "fastapi": "serve",
    "fsspec": "data",
    "httptools": "serve",
    "httpx": "serve",
    "huggingface_hub": "hub",
    "jinja2": "evaluate",
    "lance": "lance",
    "matplotlib": "evaluate",
    "nncf": "export",
    "onnx": "export",
    "onnxscript": "export",
    "openvino": "fast",
    "prometheus_client": "serve",
    "pyarrow": "data",
    "python_calamine": "data",
    "python_multipart": "serve",
    "qdrant_client": "cluster",
    "pillow_heif": "heic",
    "ray": "cluster",
    "scipy": "evaluate",
    "sklearn": "evaluate",
    "tensorboard": "train",
    "textual_image": "search",
    "timm": "timm",
    "torch": "train",
    "transformers": "hf",
    "uvicorn": "serve",
    "watchfiles": "search",
    "zstandard": "data",
}


def missing_library(purpose: str, library: str, error: ImportError) -> UsageError:
    """The error to raise where `import library` failed; it names the extra to install.

        raise missing_library("Writing Parquet", "pyarrow", error) from None

    `purpose` is the subject of the sentence, `library` a key of EXTRAS.
    """
    reason = "" if isinstance(error, ModuleNotFoundError) else f", which cannot be loaded: {error}"
    return UsageError(f"{purpose} needs {library}{reason}.\n  Install it: {install_command(library)}")


def install_command(library: str) -> str:
    """What a user types to get the library, a key of EXTRAS."""
    return f'pip install "lexel[{EXTRAS[library]}]"'

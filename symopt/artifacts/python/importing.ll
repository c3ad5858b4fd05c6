; `import $stem` finds $stem.so before $stem.py, and takes it for an extension module: here it is one,
; and runs $stem.py in its place. Functions of Python are weak: without Python, they are not there.

@python.name = internal constant [$name_size x i8] c"$stem\00"
@python.text = internal constant [$text_size x i8] c"$text\00"

; What Python calls a PyModuleDef: an object, four words of its own, a name, a text, a size, methods,
; slots, three functions. The object's header is two words, of a Python without a GIL four.
@python.module = internal global [13 x ptr] [
  ptr inttoptr (i64 1 to ptr), ptr null, ptr null, ptr null, ptr null, ptr @python.name, ptr null,
  ptr null, ptr null, ptr @python.slots, ptr null, ptr null, ptr null]
@python.module.free = internal global [15 x ptr] [
  ptr null, ptr inttoptr (i64 -4294967296 to ptr), ptr null, ptr null, ptr null, ptr null, ptr null,
  ptr @python.name, ptr null, ptr null, ptr null, ptr @python.slots.free, ptr null, ptr null,
  ptr null]
; Py_mod_exec; Py_mod_gil: not used; the end.
@python.slots = internal global [4 x ptr] [
  ptr inttoptr (i64 2 to ptr), ptr @python.run, ptr null, ptr null]
@python.slots.free = internal global [6 x ptr] [
  ptr inttoptr (i64 2 to ptr), ptr @python.run, ptr inttoptr (i64 4 to ptr),
  ptr inttoptr (i64 1 to ptr), ptr null, ptr null]

declare extern_weak ptr @PyModuleDef_Init(ptr)
declare extern_weak ptr @PyModule_GetDict(ptr)
declare extern_weak ptr @Py_CompileString(ptr, ptr, i32)
declare extern_weak ptr @PyEval_EvalCode(ptr, ptr, ptr)
; There is this function where there is no GIL.
declare extern_weak void @_Py_MergeZeroLocalRefcount(ptr)

define ptr @PyInit_$stem() noinline optnone nounwind {
  %free = icmp ne ptr @_Py_MergeZeroLocalRefcount, null
  %module = select i1 %free, ptr @python.module.free, ptr @python.module
  %found = call ptr @PyModuleDef_Init(ptr %module)
  ret ptr %found
}

define internal i32 @python.run(ptr %module) noinline optnone nounwind {
entry:
  %names = call ptr @PyModule_GetDict(ptr %module)
  %code = call ptr @Py_CompileString(ptr @python.text, ptr @python.name, i32 257)
  %wrong = icmp eq ptr %code, null
  br i1 %wrong, label %failed, label %compiled
compiled:
  %result = call ptr @PyEval_EvalCode(ptr %code, ptr %names, ptr %names)
  %raised = icmp eq ptr %result, null
  br i1 %raised, label %failed, label %done
done:
  ret i32 0
failed:
  ret i32 -1
}
